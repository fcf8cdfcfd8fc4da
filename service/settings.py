"""The settings of the service: one class, read from the command line and the environment."""

import argparse
import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from dataclasses import field as described
from importlib.util import find_spec
from pathlib import Path
from types import UnionType
from typing import Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

PREFIX = "COLDSTART_"
SECRET = ("members",)
"""Workers get these by the environment: every user of a machine may read command lines."""
RANGES: dict[str, tuple[float, float, str]] = {
    "port": (0, 65535, ""),
    "metrics_port": (0, 65535, ""),
    "workers": (0, 256, ""),
    "members_timeout_seconds": (0.001, 10, " seconds"),
    "reload_seconds": (0.05, 86_400, " seconds"),
    "drain_seconds": (0, 3600, " seconds"),
    "grace_seconds": (0, 3600, " seconds"),
    "hang_seconds": (1, 3600, " seconds"),
    "background_threads": (1, 64, ""),
    "max_message_bytes": (65_536, 1_073_741_824, ""),
    "max_concurrent_streams": (1, 1_000_000, ""),
    "max_connection_age_seconds": (1, 86_400, " seconds"),
    "keepalive_seconds": (1, 7200, " seconds"),
    "trial_seconds": (0.1, 3600, " seconds"),
    "trial_memory_mib": (256, 16_777_216, ""),
    "log_sample": (0, 1, ""),
    "trace_sample": (0, 1, ""),
    "shadow_share": (0, 1, ""),
    "canary_share": (0, 1, ""),
    "least_in_flight": (1, 10_000, ""),
    "most_in_flight": (1, 10_000, ""),
    "queue_calls": (1, 100_000, ""),
    "queue_seconds": (0.001, 60, " seconds"),
    "pending_calls": (1, 100_000, ""),
}
"""Least and most of each number, and its unit."""


@dataclass(frozen=True)
class Settings:
    """Every option of `python -m service`; the command line wins over the environment, and that over the default."""

    models: str
    """The folder, or address (`s3://...`), where `training retrain` publishes models. It may still be empty."""
    members: str | None = described(default=None, repr=False)
    """Redis store of members asked before the model's own: redis://, rediss:// or unix://. The environment hides it."""
    members_timeout_seconds: float = 0.01
    """How long an answer waits for that store before it goes on without, in seconds."""
    host: str = "127.0.0.1"
    """Address to serve gRPC on. The default is reached from this machine only; 0.0.0.0 or :: from every network."""
    port: int = 50051
    """Port of gRPC; 0 takes a free one, which the line of JSON on standard output tells."""
    metrics_host: str = "127.0.0.1"
    """Address to serve Prometheus metrics on, at /metrics."""
    metrics_port: int = 9464
    """Port of the metrics; 0 takes a free one, which the same line tells."""
    workers: int = 0
    """Processes that answer calls, each with a copy of the model; 0 starts one for each core."""
    tls_cert: Path | None = None
    """PEM file of the server's certificate chain; with it and its key, all of gRPC is served over TLS only."""
    tls_key: Path | None = None
    """PEM file of the certificate's key. Both files may be replaced while the service runs."""
    tls_client_ca: Path | None = None
    """PEM file of the authorities whose certificates clients must show (mutual TLS); without it any client may call."""
    reflection: Literal["on", "off"] = "on"
    """Whether gRPC tools may ask the server for its methods and messages."""
    reload_seconds: float = 0.5
    """How often to look for a newly published model, in seconds."""
    models_cache: Path | None = None
    """Folder for copies of models from an address; without it, one that goes when the service ends."""
    require_signature: Path | None = None
    """PEM file of an ed25519 public key; with it, no version is loaded that its private key hasn't signed."""
    trial_seconds: float = 60.0
    """How long the disposable process that loads a version first may take, in seconds."""
    trial_memory_mib: int = 4096
    """Address space that this process may use, beside its libraries and the size of the members' table."""
    shadow_share: float = 0.0
    """Share of the requests for predictions that the candidate scores too, for the metrics alone."""
    canary_share: float = 0.0
    """Share of members, always the same ones, whom the candidate answers where there is one."""
    canary_key: Path | None = None
    """File with a secret of up to 64 bytes, which decides who these members are."""
    outcomes: Path | None = None
    """Folder in which outcomes are kept (RecordOutcome); made where there is none. Without it none are taken."""
    drain_seconds: float = 0.5
    """How long calls are still taken after SIGTERM or SIGINT, while health already answers NOT_SERVING, in seconds."""
    grace_seconds: float = 20.0
    """How long running calls may then take to finish, in seconds."""
    hang_seconds: float = 30.0
    """How long a worker that serves may leave the supervisor without an answer before it is replaced, in seconds."""
    background_threads: int = 2
    """Threads for rankings, explanations and requests for many movies, which small requests thus need not wait for."""
    max_message_bytes: int = 4 * 1024 * 1024
    """Size of the largest message that is taken or sent, unpacked."""
    max_concurrent_streams: int = 256
    """Calls that one connection may have under way; a client holds further ones back."""
    max_connection_age_seconds: float = 300.0
    """After about this long a client is asked to connect anew, and so may come to another worker; its calls finish."""
    keepalive_seconds: float = 60.0
    """After this long without a word a client is asked for a sign of life, and forgotten if there is none."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are logged, as JSON on standard error."""
    log_sample: float = 0.0
    """Share of the calls that a line is logged of: request id, method, code, seconds, evidence and version."""
    traces: str | None = None
    """Address of a collector of traces (OTLP over HTTP), such as http://collector:4318/v1/traces; without it, none."""
    trace_sample: float = 0.01
    """Share of the calls that are traced, besides those that belong to a trace which the caller records."""
    tokens: Path | None = None
    """A file of bearer tokens (`python -m service token` makes them); every call but health then needs one."""
    least_in_flight: int = 32
    """Calls that may always compute at once, more than are answered together. How many more may is learned."""
    most_in_flight: int = 128
    """Calls that may compute at once at most; large requests count as several."""
    queue_calls: int = 64
    """Calls of each class (interactive, bulk) that may wait for their turn; further ones are refused at once."""
    queue_seconds: float = 0.5
    """How long an interactive call may wait for its turn before it is refused, in seconds."""
    pending_calls: int = 128
    """Calls that gRPC itself holds back while the process computes, health aside; it ends further ones (CANCELLED)."""

    def __post_init__(self) -> None:
        """Raises ValueError that names the option for a value that can't be meant."""
        for name, (least, most, unit) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{flag(name)} must be {least} to {most}{unit}")
        if self.least_in_flight > self.most_in_flight:
            raise ValueError(f"{flag('least_in_flight')} must not be above {flag('most_in_flight')}")
        for name in ("require_signature", "canary_key"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{flag(name)} must be a file")
        for name in ("models", "host", "metrics_host"):
            if not getattr(self, name):
                raise ValueError(f"{flag(name)} must not be empty")
        if self.members is not None:
            if not _is_store(self.members):
                raise ValueError(f"{flag('members')} must be an address: redis://, rediss:// or unix://")
            if find_spec("redis") is None:
                raise ValueError(f"{flag('members')} needs the extra redis: pip install '.[redis]'")
        if self.traces is not None:
            if not self.traces.startswith(("http://", "https://")):
                raise ValueError(f"{flag('traces')} must be an address: http:// or https://")
            if find_spec("opentelemetry") is None:
                raise ValueError(f"{flag('traces')} needs the extra otel: pip install '.[otel]'")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError(f"{flag('tls_cert')} and {flag('tls_key')} must be given together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError(f"{flag('tls_client_ca')} needs {flag('tls_cert')} and {flag('tls_key')}")


def _is_store(address: str) -> bool:
    """Whether it looks like the address of a Redis store."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("redis", "rediss", "unix") and (parts.port is None or bool(parts.hostname))
    except ValueError:
        return False


def read_settings(
    arguments: Sequence[str], environment: Mapping[str, str], program: str = "python -m service"
) -> Settings:
    """The settings that a call asks for; exits with code 2 and a clear line where they make no sense."""
    sentences = _sentences()
    hints = get_type_hints(Settings)
    parser = argparse.ArgumentParser(
        program,
        description="Serve predictions over gRPC, or look whether that will go well (doctor).",
        allow_abbrev=False,
    )
    for field in fields(Settings):
        default = "needed" if field.default is MISSING else f"default: {_shown(field.default)}"
        explained = f"{sentences[field.name]} [{default}; ${variable(field.name)}]"
        parser.add_argument(flag(field.name), metavar=_value_name(hints[field.name]), help=explained.replace("%", "%%"))
    told = vars(parser.parse_args(arguments))
    given: dict[str, object] = {}
    for field in fields(Settings):
        text = told[field.name] if told[field.name] is not None else environment.get(variable(field.name))
        if text is not None:
            given[field.name] = _value(parser, field.name, hints[field.name], text)
        elif field.default is MISSING:
            parser.error(f"{flag(field.name)} (or ${variable(field.name)}) is needed")
    try:
        return Settings(**given)  # type: ignore[arg-type] # the values were made by the fields' own types
    except ValueError as error:
        parser.error(str(error))


def options_of(settings: Settings) -> list[str]:
    """The options of a call that asks for these settings, but those that may hold a secret."""
    told = ((field.name, getattr(settings, field.name)) for field in fields(Settings) if field.name not in SECRET)
    return [part for name, value in told if value is not None for part in (flag(name), str(value))]


def settings_table() -> str:
    """All settings as a Markdown table."""
    sentences = _sentences()
    rows = [
        f"| `{flag(field.name)}` | `{variable(field.name)}` | {_default_cell(field)} | {sentences[field.name]} |"
        for field in fields(Settings)
    ]
    return "\n".join(["| option | environment | default | meaning |", "| --- | --- | --- | --- |", *rows])


def flag(name: str) -> str:
    """The command-line option of a field."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def _default_cell(field: "Field[object]") -> str:
    return "needed" if field.default is MISSING else f"`{_shown(field.default)}`"


def _shown(default: object) -> object:
    return "none" if default is None else default


def _value_name(kind: object) -> str:
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if isinstance(kind, UnionType):
        return "FILE" if Path in get_args(kind) else "ADDRESS"
    return {int: "NUMBER", float: "NUMBER"}.get(kind, "TEXT") if isinstance(kind, type) else "TEXT"


def _value(parser: argparse.ArgumentParser, name: str, kind: object, text: str) -> object:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            parser.error(f"{flag(name)} must be one of {', '.join(get_args(kind))}")
        return text
    if isinstance(kind, UnionType):
        kind = get_args(kind)[0]
    assert isinstance(kind, type)  # noqa: S101 # every other field has a plain type
    try:
        return kind(text)
    except ValueError:
        parser.error(f"{flag(name)} must be a {'whole ' if kind is int else ''}number")


def _sentences() -> dict[str, str]:
    """The sentence below each field, from the class's own source."""
    definition = ast.parse(inspect.getsource(Settings)).body[0]
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 # that is what the source of a class is
    sentences = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            sentences[field.target.id] = inspect.cleandoc(str(getattr(text.value, "value", "")))
    return sentences


def at_port(host: str, port: int) -> str:
    """host:port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
