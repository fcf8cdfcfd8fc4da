"""The evaluation as a page to look at: report.html, which a browser shows without network or script."""

from collections.abc import Mapping, Sequence
from typing import Any

from model.artifact.serialization import to_json
from training.report.html import page
from training.report.markdown import METHOD, markdown
from training.report.sections import notes as notes_section
from training.report.sections import sections

FOOTER = "Made by coldstart. The numbers behind each chart stand below it, and in report.json."


def html(evaluation: Mapping[str, Any], notes: Sequence[str], first: Sequence[str] = ()) -> str:
    """The page of one evaluation; `first` are sections, as HTML, to stand before all others."""
    best = _most_evidence(evaluation["evidence"])
    cards = {
        "RMSE with the most evidence": f"{best['rmse']:.3f}",
        "RMSE of the movie mean": f"{best['movie_mean_rmse']:.3f}",
        "gain over the movie mean": f"{best['gain_percent']:.1f} %",
        "of ratings within the 90 % interval": f"{best['coverage']:.1%}".replace("%", " %"),
        "calibration error": f"{best['enjoyed_calibration_error']:.4f}",
    }
    parts = [*first, *sections(evaluation), *([notes_section(notes)] if notes else [])]
    return page("Evaluation as never-raters", METHOD, cards, parts, FOOTER)


def _most_evidence(evidence: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    order = ("attributes_and_plays", "plays", "attributes", "nothing")
    return next(evidence[name] for name in order if name in evidence)


def report_files(evaluation: Mapping[str, Any], notes: Sequence[str], first: Sequence[str] = ()) -> dict[str, bytes]:
    """Contents by name, the same bytes for the same evaluation; `first` are sections that begin the page, as HTML."""
    return {
        "report.json": to_json(dict(evaluation)),
        "report.md": markdown(evaluation, notes).encode(),
        "report.html": html(evaluation, notes, first).encode(),
    }
