"""The settings of the service: one class, read from the command line and the environment."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

PREFIX = "COLDSTART_"

Text = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Share = Annotated[float, Field(ge=0, le=1)]
Delay = Annotated[float, Field(ge=0, le=3600)]


def _redis_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("redis", "rediss", "unix") and (parts.port is None or bool(parts.hostname))
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("must be an address: redis://, rediss:// or unix://")
    if find_spec("redis") is None:
        raise ValueError("needs the extra redis: pip install '.[redis]'")
    return address


def _http_address(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        raise ValueError("must be an address: http:// or https://")
    if find_spec("opentelemetry") is None:
        raise ValueError("needs the extra otel: pip install '.[otel]'")
    return address


class Settings(BaseModel):
    """Every option of `python -m service`; the command line wins over the environment, and that over the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    models: Text
    """Folder or address (`s3://...`) of the store that `training retrain` publishes to; it may still be empty."""
    members: Annotated[str, AfterValidator(_redis_address)] | None = Field(default=None, repr=False)
    """Redis store (redis://, rediss://, unix://) asked before the model's member table; best set in the environment."""
    members_timeout_seconds: Annotated[float, Field(ge=0.001, le=10)] = 0.01
    """How long a call waits for the Redis store before it goes on without it, in seconds."""
    host: Text = "127.0.0.1"
    """Address to serve gRPC on. The default is reached from this machine only; 0.0.0.0 or :: from every network."""
    port: Port = 50051
    """Port of gRPC; 0 takes a free port, printed in the line of JSON on standard output."""
    metrics_host: Text = "127.0.0.1"
    """Address to serve Prometheus metrics on, at /metrics."""
    metrics_port: Port = 9464
    """Port of the metrics; 0 takes a free port, printed in the same line."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Worker processes, each with a copy of the model; 0 starts one for each core."""
    tls_cert: Path | None = None
    """PEM file of the server's certificate chain; with it and its key, gRPC is served over TLS only."""
    tls_key: Path | None = None
    """PEM file of the certificate's key. Both files may be replaced while the service runs."""
    tls_client_ca: Path | None = None
    """PEM file of the authorities that sign client certificates (mutual TLS); without it any client may call."""
    reflection: Literal["on", "off"] = "on"
    """Whether gRPC tools may ask the server for its methods and messages (server reflection)."""
    reload_seconds: Annotated[float, Field(ge=0.05, le=86_400)] = 0.5
    """How often to look for a newly published model, in seconds."""
    models_cache: Path | None = None
    """Folder for copies of models from an address; without it a temporary folder is used."""
    require_signature: FilePath | None = None
    """PEM file of an ed25519 public key; with it, only versions signed with its private key are loaded."""
    trial_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 60.0
    """Time limit of the disposable process that tries a new version before it is served, in seconds."""
    trial_memory_mib: Annotated[int, Field(ge=256, le=16_777_216)] = 4096
    """Address space of that process in MiB, in addition to its libraries and the member table."""
    shadow_share: Share = 0.0
    """Share of prediction requests that the candidate scores too, for the metrics only."""
    canary_share: Share = 0.0
    """Share of members, always the same members, who are answered by the candidate if there is one."""
    canary_key: FilePath | None = None
    """File with a secret of up to 64 bytes that decides which members these are."""
    outcomes: Path | None = None
    """Folder where outcomes (RecordOutcome) are recorded, created if missing; without it they are refused."""
    drain_seconds: Delay = 0.5
    """How long calls are still accepted after SIGTERM or SIGINT while health answers NOT_SERVING, in seconds."""
    grace_seconds: Delay = 20.0
    """How long running calls may then take to finish, in seconds."""
    hang_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """How long a worker may be unresponsive before it is replaced (at least 60 while it starts), in seconds."""
    background_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads for rankings, explanations and requests for many movies, so that small requests need not wait."""
    max_message_bytes: Annotated[int, Field(ge=65_536, le=1_073_741_824)] = 4 * 1024 * 1024
    """Size of the largest message that is received or sent, uncompressed."""
    max_concurrent_streams: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Concurrent calls on one connection; the client queues further calls."""
    max_connection_age_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Age at which a client is asked to reconnect, perhaps to another worker; running calls finish. In seconds."""
    keepalive_seconds: Annotated[float, Field(ge=1, le=7200)] = 60.0
    """Idle time after which a client is pinged, and disconnected if it does not answer, in seconds."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged, as JSON on standard error."""
    log_sample: Share = 0.0
    """Share of calls that are logged: request id, method, code, seconds, evidence and version."""
    traces: Annotated[str, AfterValidator(_http_address)] | None = None
    """Address of a trace collector (OTLP over HTTP), such as http://collector:4318/v1/traces; without it, none."""
    trace_sample: Share = 0.01
    """Share of calls that are traced, in addition to calls whose caller records a trace."""
    tokens: Path | None = None
    """File of bearer tokens (made by `python -m service token`); every call except health then needs a token."""
    least_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Calls that may always compute at once; the adaptive limit never falls below it."""
    most_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 128
    """Calls that may compute at once at most; a large request counts as several."""
    queue_calls: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Calls of each class (interactive, bulk) that may wait for their turn; further calls are refused at once."""
    queue_seconds: Annotated[float, Field(ge=0.001, le=60)] = 0.5
    """How long an interactive call may wait for its turn before it is refused, in seconds."""
    pending_calls: Annotated[int, Field(ge=1, le=100_000)] = 128
    """Calls, except health, that gRPC holds back while the process computes; it ends further calls (CANCELLED)."""

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
    """The settings of a call; exits with code 2 and a line for each wrong value."""
    parser = _parser(program)
    options = vars(parser.parse_args(arguments))
    variables = {name: environment[variable(name)] for name in Settings.model_fields if variable(name) in environment}
    try:
        return Settings.model_validate(variables | options)
    except ValidationError as error:
        messages = [line for problem in error.errors() for line in _message(problem, options).splitlines()]
        parser.error(f"\n{program}: error: ".join(messages))


def settings_table() -> str:
    """All settings as a Markdown table."""
    rows = [
        f"| `{flag(name)}` | `{variable(name)}` | "
        f"{'needed' if field.is_required() else f'`{_default(field)}`'} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| option | environment | default | meaning |", "| --- | --- | --- | --- |", *rows])


def flag(name: str) -> str:
    """The command-line option of a field."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def at_port(host: str, port: int) -> str:
    """host:port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parser(program: str) -> argparse.ArgumentParser:
    """The command line that has an option for each field; values stay text, which the model parses."""
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
    """What is wrong with a value, by its option or variable and without the value, which may be a secret."""
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
    unit = " seconds" if name.endswith("_seconds") else ""
    return f"must be {schema['minimum']} to {schema['maximum']}{unit}"
