"""`python -m service doctor`: checks whether the service would run well with its settings, and what to do if not."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from model.exit_codes import ExitCode
from service.commands.doctor_checks import (
    Finding,
    Findings,
    check_certificates,
    check_folders,
    check_member_store,
    check_memory,
    check_models,
    check_open_files,
    check_tokens,
    memory_of_one_worker,
)
from service.settings import read_settings

JSON = "--json"


def main(arguments: Sequence[str], environment: Mapping[str, str], now: float, output: TextIO) -> int:
    """Check everything, print the findings and return the exit code; exits with code 2 for wrong settings.

    `now` is in seconds since 1970 UTC.
    """
    options = [argument for argument in arguments if argument != JSON]
    settings = read_settings(options, environment, f"python -m service doctor [{JSON}]")
    checks: list[Callable[[], Findings]] = [
        lambda: check_models(settings, now),
        lambda: check_member_store(settings),
        lambda: check_certificates(settings, now),
        lambda: check_tokens(settings),
        check_open_files,
        lambda: check_memory(settings, memory_of_one_worker()),
        lambda: check_folders(settings),
    ]
    findings = [finding for check in checks for finding in check()]
    print(json.dumps(as_json(findings), indent=1) if JSON in arguments else as_text(findings), file=output)
    return ExitCode.FAILED if _any_failed(findings) else ExitCode.DONE


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each finding, with its remedy below it, and a summary."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:8} {finding.check:14} {finding.observation}")
        if finding.remedy:
            lines.append(f"{'':23} -> {finding.remedy}")
    states = [finding.state for finding in findings]
    counts = ((states.count("failed"), "failed"), (states.count("warning"), "to look at"))
    summary = ", ".join(f"{count} {name}" for count, name in counts if count)
    return "\n".join([*lines, "", f"{len(findings)} checks: {summary or 'all is well'}"])


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as JSON values."""
    checks = [
        {"check": finding.check, "state": finding.state, "found": finding.observation, "remedy": finding.remedy}
        for finding in findings
    ]
    return {"ok": not _any_failed(findings), "checks": checks}


def _any_failed(findings: Sequence[Finding]) -> bool:
    return any(finding.state == "failed" for finding in findings)
