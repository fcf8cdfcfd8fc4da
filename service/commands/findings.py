"""What a check of the surroundings found, in words for the person who has to act."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; no text holds a secret."""

    check: str
    """What was looked at, in a word or two."""
    state: State
    """`warning`: the service will run, but something will go wrong some day."""
    found: str
    """What there is."""
    remedy: str = ""
    """What to do about it; empty where all is well."""


Findings = Iterator[Finding]


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """It works for now."""
    return Finding(check, "warning", found, remedy)


def failed(check: str, found: str, remedy: str) -> Finding:
    """It doesn't work."""
    return Finding(check, "failed", found, remedy)


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each check, with what to do below it, and one line on the whole."""
    lines = []
    for one in findings:
        lines.append(f"{one.state:8} {one.check:14} {one.found}")
        if one.remedy:
            lines.append(f"{'':23} -> {one.remedy}")
    counts = {state: sum(one.state == state for one in findings) for state in ("failed", "warning")}
    told = [
        f"{count} {word}" for count, word in ((counts["failed"], "failed"), (counts["warning"], "to look at")) if count
    ]
    return "\n".join([*lines, "", f"{len(findings)} checks: {', '.join(told) or 'all is well'}"])


def as_plain(findings: Sequence[Finding]) -> dict[str, Any]:
    """The same as JSON can hold it."""
    return {"ok": not any(one.state == "failed" for one in findings), "checks": [asdict(one) for one in findings]}
