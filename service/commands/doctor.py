"""`python -m service doctor`: checks whether the service will run well with its settings, and suggests remedies."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from model.exit_codes import ExitCode
from service.commands.doctor_checks import (
    Finding,
    Findings,
    check_certificates,
    check_folders,
    check_memory,
    check_models,
    check_open_files,
    check_tokens,
    memory_of_one_worker,
)
from service.commands.member_store_checks import check_member_store
from service.settings import read_settings

JSON = "--json"


def main(arguments: Sequence[str], environment: Mapping[str, str], now: float, output: TextIO) -> int:
    """Run all checks of the settings and the machine, print what was found and return the exit code.

    Exits with code 2 if the settings are invalid. `now` is the time in seconds since 1970 UTC.
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
    """Format the results of the checks as text: a line for each, with its remedy below, and a summary."""
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
    """Return the results of the checks as a dictionary that can be encoded as JSON."""
    checks = [
        {"check": finding.check, "state": finding.state, "found": finding.observation, "remedy": finding.remedy}
        for finding in findings
    ]
    return {"ok": not _any_failed(findings), "checks": checks}


def _any_failed(findings: Sequence[Finding]) -> bool:
    return any(finding.state == "failed" for finding in findings)
