"""The files that tell of one evaluation: for programs, for the terminal and for a browser."""

from collections.abc import Mapping, Sequence
from typing import Any

from model.artifact.serialization import to_json
from training.report.markdown import markdown
from training.report.page import html


def report_files(evaluation: Mapping[str, Any], notes: Sequence[str], first: Sequence[str] = ()) -> dict[str, bytes]:
    """Contents by name, the same bytes for the same evaluation; `first` are sections that begin the page, as HTML."""
    return {
        "report.json": to_json(dict(evaluation)),
        "report.md": markdown(evaluation, notes).encode(),
        "report.html": html(evaluation, notes, first).encode(),
    }
