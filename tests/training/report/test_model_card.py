"""The model card tells of this very model, in sections that other tools find, and of no single person."""

import json
import re

import pytest

from tests.conftest import Published
from training.report.model_card import model_card

SECTIONS = (
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Quantitative analyses",
    "Ethical considerations", "What it gives away", "Caveats and recommendations",
)  # fmt: skip


@pytest.fixture(scope="module")
def card(published: Published) -> str:
    return (published.folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_all_sections_of_a_model_card_are_there_after_a_block_for_machines(card):
    assert card.startswith("---\n")
    block = card.split("---\n")[1]
    assert re.findall(r"^([a-z_-]+):", block, re.MULTILINE) == [
        "library_name", "license", "license_name", "pipeline_tag", "tags", "metrics", "model-index",
    ]  # fmt: skip
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == list(SECTIONS)


def test_the_figures_are_those_of_this_model(card, published: Published):
    scores = published.model.manifest.scores
    for row in scores.values():
        assert f"value: {row['rmse']:.6f}" in card
        assert re.search(rf"\| {row['rmse']:.4f} +\| {row['movie_mean_rmse']:.4f} +\|", card)
    counts = published.model.manifest.data
    for name in ("ratings", "raters", "plays", "movies", "members"):
        assert f"{counts[name]:,}" in card
    for name, number in published.model.manifest.libraries.items():
        assert re.search(rf"[ :]{name} {re.escape(number)}[,.]", card)


def test_the_card_of_books_does_not_call_them_movies(card):
    """The names of attributes and of tables in notes are the data's own."""
    prose = card.split("## Training data")[0] + card.split("## Ethical considerations")[1]
    assert "movie" not in prose.replace("prefers_movies", "")
    assert "RMSE of the item mean" in card


def test_no_group_of_few_members_is_shown(card, published: Published):
    raters = published.tables.members.join(published.tables.ratings, on="member_id", how="semi")
    for name in ("gender", "occupation", "region"):
        sizes = dict(raters[name].value_counts().iter_rows())
        for group, size in sizes.items():
            if group is not None and size < 20:
                assert not re.search(rf"^\| {group} +\|", card, re.MULTILINE)


def test_text_of_the_data_is_no_markup(published: Published):
    evaluation = json.loads((published.folder / "report.json").read_text())
    group = {"rmse": 1.0, "movie_mean_rmse": 1.0, "targets": 60.0}
    evaluation["groups"] = {"a|b <i>": {"x | y\n# z": group}}
    manifest = published.model.manifest
    card = model_card(published.model.schema, manifest.data, evaluation, "nobody is published", [], manifest.libraries)
    assert "| a\\|b \\<i> " in card
    assert "| x \\| y # z " in card
