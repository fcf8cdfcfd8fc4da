"""Settings of the service, read from the command line and the environment."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from model.errors import WrongKey
from model.facts.member_key import MemberKey

PREFIX = "COLDSTART_"

Text = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Share = Annotated[float, Field(ge=0, le=1)]
Delay = Annotated[float, Field(ge=0, le=3600)]


def _members_address(address: str) -> str:
    if address.startswith("sqlite:") and address != "sqlite:":
        return address
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("redis", "rediss", "unix") and (parts.port is None or bool(parts.hostname))
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("must be sqlite:PATH, or an address: redis://, rediss:// or unix://")
    if find_spec("redis") is None:
        raise ValueError("needs the extra redis: pip install '.[redis]'")
    return address


def _member_key_file(path: Path) -> Path:
    try:
        MemberKey.read(path)
    except WrongKey as error:
        raise ValueError("must be a file of 16 to 64 bytes, newlines included") from error
    return path


def _http_address(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        raise ValueError("must be an address: http:// or https://")
    if find_spec("opentelemetry") is None:
        raise ValueError("needs the extra otel: pip install '.[otel]'")
    return address


class Settings(BaseModel):
    """Settings of the service, each an option of `python -m service`.

    The command line overrides the environment, which overrides the defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    models: Text
    """Folder or address (`s3://...`) of the model store that `training retrain` publishes to; may still be empty."""
    members: Annotated[str, AfterValidator(_members_address)] | None = Field(default=None, repr=False)
    """Store of members, asked first: sqlite:PATH, redis://, rediss:// or unix://. Pass passwords in the environment."""
    members_timeout_seconds: Annotated[float, Field(ge=0.001, le=10)] = 0.01
    """How long a call waits for the store of members before it continues without the store, in seconds."""
    member_key: Annotated[FilePath, AfterValidator(_member_key_file)] | None = None
    """File with the secret (16 to 64 bytes) that keys hashes of members' ids, the one that `retrain` was given."""
    ratings_keep_days: Annotated[float, Field(ge=0.001, le=3650)] = 90.0
    """How long the store of members keeps a live rating after it was received, in days."""
    host: Text = "127.0.0.1"
    """Address to serve gRPC on. The default accepts calls from this machine only; 0.0.0.0 or :: from any network."""
    port: Port = 50051
    """Port for gRPC; 0 picks a free port, reported in the line of JSON on standard output."""
    metrics_host: Text = "127.0.0.1"
    """Address to serve Prometheus metrics on, at /metrics."""
    metrics_port: Port = 9464
    """Port for the metrics; 0 picks a free port, reported in the line of JSON on standard output."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Number of worker processes, each with its own copy of the model; 0 starts one per core."""
    tls_cert: Path | None = None
    """PEM file of the server's certificate chain. If this and its key are given, gRPC is served over TLS only."""
    tls_key: Path | None = None
    """PEM file of the certificate's private key. Certificate and key may be replaced while the service is running."""
    tls_client_ca: Path | None = None
    """PEM file of the authorities that sign client certificates (mutual TLS). By default, clients need none."""
    reflection: Literal["on", "off"] = "on"
    """Whether gRPC tools may list the server's methods and messages (server reflection)."""
    reload_seconds: Annotated[float, Field(ge=0.05, le=86_400)] = 0.5
    """Interval between checks for a newly published model, in seconds."""
    models_cache: Path | None = None
    """Folder for local copies of models from a remote store. By default, a temporary folder is used."""
    require_signature: FilePath | None = None
    """PEM file of an ed25519 public key. If given, only versions signed with the matching private key are loaded."""
    trial_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 60.0
    """Time limit of the trial process, which loads and tests a new version before it is served, in seconds."""
    trial_memory_mib: Annotated[int, Field(ge=256, le=16_777_216)] = 4096
    """Address space limit of the trial process in MiB, in addition to its libraries and the published members."""
    shadow_share: Share = 0.0
    """Share of prediction requests that the candidate (a version under test) gets too, for metrics only, 0 to 1."""
    canary_share: Share = 0.0
    """Share of members, always the same ones, whose requests the candidate (under test) answers, 0 to 1."""
    canary_key: FilePath | None = None
    """File with a secret of up to 64 bytes, which determines the members whose requests the candidate answers."""
    outcomes: Path | None = None
    """Folder for ratings and completions that callers report; created if missing. By default, they are refused."""
    drain_seconds: Delay = 0.5
    """How long new calls are accepted after SIGTERM or SIGINT, while health reports NOT_SERVING, in seconds."""
    grace_seconds: Delay = 20.0
    """How long running calls may take to finish after new calls are no longer accepted, in seconds."""
    hang_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """How long a worker may be unresponsive before it is replaced, in seconds; at least 60 while it is starting."""
    background_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads for rankings, explanations and requests for many movies, so that they don't delay small requests."""
    max_message_bytes: Annotated[int, Field(ge=65_536, le=1_073_741_824)] = 4 * 1024 * 1024
    """Maximum size of a received or sent message in bytes, uncompressed."""
    max_concurrent_streams: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Maximum number of concurrent calls per connection; the client queues further calls."""
    max_connection_age_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Age at which a connection is renewed, perhaps with another worker, in seconds. Its running calls may finish."""
    keepalive_seconds: Annotated[float, Field(ge=1, le=7200)] = 60.0
    """Idle time, in seconds, after which a client is pinged; if it doesn't answer, it is disconnected."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level to log. Logs are written to standard error as JSON."""
    log_sample: Share = 0.0
    """Share of calls to log, 0 to 1: request id, method, code, duration, what was known of members, model version."""
    traces: Annotated[str, AfterValidator(_http_address)] | None = None
    """Address of a trace collector (OTLP over HTTP), such as http://collector:4318/v1/traces. Off by default."""
    trace_sample: Share = 0.01
    """Share of calls to trace if the caller sends no trace, 0 to 1. Traces that the caller records are continued."""
    tokens: Path | None = None
    """File of bearer tokens (see `python -m service token`). If given, every call except health needs a token."""
    least_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Lower bound of the adaptive limit on calls computed at once; a large request counts as several calls."""
    most_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 128
    """Upper bound of the adaptive limit on calls computed at once; a large request counts as several calls."""
    queue_calls: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Maximum number of waiting calls per class (interactive, bulk); further calls are refused immediately."""
    queue_seconds: Annotated[float, Field(ge=0.001, le=60)] = 0.5
    """How long an interactive call may wait to be computed before it is refused, in seconds."""
    pending_calls: Annotated[int, Field(ge=1, le=100_000)] = 128
    """Maximum number of calls, except health, pending in gRPC per worker; further calls are ended (CANCELLED)."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = []
        if self.least_in_flight > self.most_in_flight:
            problems.append(f"{flag('least_in_flight')} must not be above {flag('most_in_flight')}")
        if (self.tls_cert is None) != (self.tls_key is None):
            problems.append(f"{flag('tls_cert')} and {flag('tls_key')} must be given together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            problems.append(f"{flag('tls_client_ca')} needs {flag('tls_cert')} and {flag('tls_key')}")
        if problems:
            raise ValueError("\n".join(problems))
        return self


def read_settings(
    arguments: Sequence[str], environment: Mapping[str, str], program: str = "python -m service"
) -> Settings:
    """Read and validate the settings. Exits with code 2 and an error line for each invalid value."""
    parser = _parser(program)
    options = vars(parser.parse_args(arguments))
    variables = {name: environment[variable(name)] for name in Settings.model_fields if variable(name) in environment}
    try:
        return Settings.model_validate(variables | options)
    except ValidationError as error:
        messages = [line for problem in error.errors() for line in _message(problem, options).splitlines()]
        parser.error(f"\n{program}: error: ".join(messages))


def settings_table() -> str:
    """Return a Markdown table of all settings, for docs/settings.md."""
    rows = [
        f"| `{flag(name)}` | `{variable(name)}` | "
        f"{'needed' if field.is_required() else f'`{_default(field)}`'} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| option | environment | default | meaning |", "| --- | --- | --- | --- |", *rows])


def flag(name: str) -> str:
    """Return the command-line option of a setting, such as `--tls-cert`."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """Return the name of the environment variable of a setting, such as `COLDSTART_TLS_CERT`."""
    return PREFIX + name.upper()


def at_port(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parser(program: str) -> argparse.ArgumentParser:
    """Build a parser with an option for each setting. Values stay strings, which pydantic parses."""
    parser = argparse.ArgumentParser(
        program,
        description="Serve predictions over gRPC, or check whether that will go well (doctor).",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    types = get_type_hints(Settings)
    for name, field in Settings.model_fields.items():
        default = "needed" if field.is_required() else f"default: {_default(field)}"
        explained = f"{field.description} [{default}; ${variable(name)}]"
        parser.add_argument(flag(name), metavar=_value_name(types[name]), help=explained.replace("%", "%%"))
    return parser


def _default(field: FieldInfo) -> object:
    return "none" if field.default is None else field.default


def _value_name(kind: object) -> str:
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if kind in (int, float):
        return "NUMBER"
    return "TEXT" if kind is str else "FILE" if Path in get_args(kind) else "ADDRESS"


def _message(problem: ErrorDetails, options: Collection[str]) -> str:
    """Return the message for an invalid setting, which names its option or variable.

    It doesn't name the value, which may be a secret.
    """
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    name = str(problem["loc"][0])
    if problem["type"] == "missing":
        return f"{flag(name)} (or ${variable(name)}) is needed"
    return f"{flag(name) if name in options else f'${variable(name)}'} {_rule(name, problem)}"


def _rule(name: str, problem: ErrorDetails) -> str:
    schema = Settings.model_json_schema()["properties"][name]
    match problem["type"]:
        case "value_error":
            return str(problem["ctx"]["error"])
        case "int_parsing":
            return "must be a whole number"
        case "float_parsing":
            return "must be a number"
        case "literal_error":
            return f"must be one of {', '.join(schema['enum'])}"
        case "string_too_short":
            return "must not be empty"
        case "path_not_file":
            return "must be a file"
        case "string_unicode":
            return "must be valid UTF-8"
    unit = " seconds" if name.endswith("_seconds") else ""
    return f"must be {schema['minimum']} to {schema['maximum']}{unit}"
