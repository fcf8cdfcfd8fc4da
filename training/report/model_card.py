"""The model card, MODEL_CARD.md: a model's intended use, training data, accuracy and limitations.

The sections follow Mitchell et al., Model Cards for Model Reporting (FAT* 2019), after a block of metadata in the
format of the Hugging Face Hub. All figures are those of the model in the same folder.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from features.schema import Attribute, Schema
from training.evaluation.slices import FEWEST_MEMBERS
from training.report.markdown import escaped, table_markdown
from training.report.section import Table, by_evidence, table

FIGURES = (
    ("rmse", "RMSE"), ("movie_mean_rmse", "RMSE of the item mean"), ("gain_percent", "gain %"), ("mae", "MAE"),
    ("rank_correlation", "rank correlation"), ("coverage", "coverage"), ("mean_width", "interval width"),
    ("enjoyed_auc", "AUC enjoyed"), ("enjoyed_calibration_error", "calibration error"),
)  # fmt: skip
GROUP_FIGURES = (("rmse", "RMSE"), ("movie_mean_rmse", "RMSE of the item mean"))
"""Columns for groups; numbers of ratings are left out, since they could reveal those of small groups."""


def _as_markdown(value: object) -> Markup:
    """Return the value of a template expression as Markdown: a table for a Table, escaped text for other values."""
    text = table_markdown(value) if isinstance(value, Table) else escaped(str(value))
    return Markup(text)  # noqa: S704 # Markdown already, so jinja2 mustn't escape it as HTML


TEMPLATES = Environment(
    loader=PackageLoader("training.report"), autoescape=True, finalize=_as_markdown, undefined=StrictUndefined,
    trim_blocks=True, keep_trailing_newline=True,
)  # fmt: skip


def model_card(
    schema: Schema,
    counts: Mapping[str, int],
    evaluation: Mapping[str, Any],
    publication: str,
    notes: Sequence[str],
    libraries: Mapping[str, str],
) -> str:
    """Return the model card, which says what a model is for and how good it is, as Markdown.

    `counts` and `libraries` are the numbers of rows and the library versions in the model's manifest, `publication`
    says whose facts are published, and `notes` are sentences about the treatment of the data.
    """
    scores = by_evidence(evaluation["evidence"])
    groups = {name: rows for name, rows in evaluation["groups"].items() if rows}
    return TEMPLATES.get_template("model_card.md").render(
        scores=scores,
        best=list(scores.values())[-1],
        scale=schema.scale,
        member_attributes=_names(schema.member_attributes),
        movie_attributes=_names(schema.movie_attributes),
        grouped_attributes=[name for name in _names(schema.member_attributes) if name in groups],
        libraries=[f"{name} {number}" for name, number in sorted(libraries.items())],
        counts=counts,
        publication=publication,
        notes=notes,
        figures=table("known about the member", scores, FIGURES),
        groups=[table(name, rows, GROUP_FIGURES) for name, rows in groups.items()],
        never_raters=evaluation["never_raters"],
        fewest_members=FEWEST_MEMBERS,
    )


def _names(attributes: Sequence[Attribute]) -> list[str]:
    return [attribute.name for attribute in attributes]
