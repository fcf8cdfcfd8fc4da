"""Renders the sections of a report as report.html, a page without scripts and external resources.

It also creates the contents of all report files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from model.artifact.serialization import to_json
from training.report.markdown import markdown
from training.report.section import EVIDENCE, Section
from training.report.sections import METHOD, TITLE, sections

FOOTER = "Made by coldstart. The numbers behind each chart are listed below it and in report.json."
TEMPLATES = Environment(
    loader=PackageLoader("training.report"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip


def html(
    evaluation: Mapping[str, Any], notes: Sequence[str], first: Sequence[Section] = (), about: Sequence[str] = (),
    last: Sequence[Section] = (),
) -> str:  # fmt: skip
    """Return the report of an evaluation as an HTML page, with sections before and after the evaluation's own.

    `notes` are sentences about the treatment of the data; `about` says of which version, data and day the report is.
    """
    best = next(evaluation["evidence"][name] for name in reversed(EVIDENCE) if name in evaluation["evidence"])
    figures = {
        "RMSE with the most evidence": f"{best['rmse']:.3f}",
        "RMSE of the movie mean": f"{best['movie_mean_rmse']:.3f}",
        "gain over the movie mean": f"{best['gain_percent']:.1f} %",
        "of ratings within the 90 % interval": f"{100 * best['coverage']:.1f} %",
        "calibration error": f"{best['enjoyed_calibration_error']:.4f}",
    }
    return page(TITLE, METHOD, figures, [*first, *sections(evaluation, notes), *last], about)


def page(title: str, lead: str, figures: Mapping[str, str], shown: Sequence[Section], about: Sequence[str] = ()) -> str:
    """Return the sections of a report as an HTML page.

    `figures` maps names to formatted numbers, which are shown in large type; `about` is shown below the title.
    """
    template = TEMPLATES.get_template("report.html")
    return template.render(title=title, lead=lead, figures=figures, sections=shown, about=about, footer=FOOTER)


def report_files(
    evaluation: Mapping[str, Any], notes: Sequence[str], first: Sequence[Section] = (), about: Sequence[str] = (),
    last: Sequence[Section] = (),
) -> dict[str, bytes]:  # fmt: skip
    """Return the contents of report.json, report.md and report.html, by name; equal arguments give the same bytes.

    `notes` are sentences about the treatment of the data, and `first` are sections to put before the evaluation's own.
    Only the page has `about`, which says of which data it is, and the sections `last`.
    """
    return {
        "report.json": to_json(dict(evaluation)),
        "report.md": markdown(evaluation, notes, first).encode(),
        "report.html": html(evaluation, notes, first, about, last).encode(),
    }
