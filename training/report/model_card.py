"""The model card, MODEL_CARD.md: what a model is for, what it was made of, how good it is and where it ends.

The sections are those of Mitchell et al., Model Cards for Model Reporting (FAT* 2019); the block before them is that of
the Hugging Face hub. All figures are of the very model that the card lies beside.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from features.schema import Attribute, Schema
from training.evaluation.slices import FEWEST_MEMBERS

EVIDENCE = ("nothing", "attributes", "plays", "attributes_and_plays")
FIGURES = (
    ("rmse", "RMSE"),
    ("movie_mean_rmse", "RMSE of the movie mean"),
    ("gain_percent", "gain %"),
    ("mae", "MAE"),
    ("rank_correlation", "rank correlation"),
    ("coverage", "coverage"),
    ("mean_width", "interval width"),
    ("enjoyed_auc", "AUC enjoyed"),
    ("enjoyed_calibration_error", "calibration error"),
)

Counts = Mapping[str, int]


def model_card(
    schema: Schema, counts: Counts, evaluation: Mapping[str, Any], notes: Sequence[str], libraries: Mapping[str, str]
) -> str:
    """The card as Markdown; `counts` are those of the manifest."""
    scores = {name: evaluation["evidence"][name] for name in EVIDENCE if name in evaluation["evidence"]}
    sections = [
        _front_matter(scores),
        "# Model card: enjoyment of movies by members who never rate",
        "## Model details\n\n" + _details(schema, libraries),
        "## Intended use\n\n" + INTENDED,
        "## Factors\n\n" + _factors(schema, evaluation),
        "## Metrics\n\n" + METRICS,
        "## Evaluation data\n\n" + EVALUATION,
        "## Training data\n\n" + _training(counts, schema, notes),
        "## Quantitative analyses\n\n" + _figures(scores) + _groups(evaluation),
        "## Ethical considerations\n\n" + ETHICS.format(floor=FEWEST_MEMBERS),
        "## Caveats and recommendations\n\n" + _caveats(scores, evaluation),
    ]
    return "\n\n".join(sections) + "\n"


INTENDED = """\
- **Primary use**: to predict how much a member of this very movie service will enjoy a movie, above all where the
  member never rates: to order movies for a member, to leave out what would disappoint, to plan what to license.
- **Users**: services of the company whose tables it was trained on, which ask it over gRPC, and its data scientists.
- **Out of scope**: members of another service; anything but movies; decisions about people (credit, work, insurance,
  prices); inferring a member's attributes from what it plays; judging single people by their predicted taste. The
  rating is what a member would say, not whether it will play the movie."""
METRICS = """\
Root mean squared error (RMSE) and mean absolute error in rating points; the gain is how much lower the RMSE is than
that of the movie's shrunk mean, in percent. Rank correlation is Spearman's, the mean over members. Coverage is the
share of ratings within the 90 % interval. Enjoyed means rated at least `enjoyed_from`; its probability is judged by the
area under the ROC curve and by the expected calibration error. Intervals of gains are bootstraps over members."""
EVALUATION = """\
Raters as if they never rated: each rater is held out once, so that what predicts it saw none of its ratings. Half of
its plays are shown, the ratings of the other half are predicted; attributes, plays or both are hidden for each kind of
evidence."""
COUNTS = """\
- {ratings:,} ratings of {raters:,} members, {plays:,} plays, {movies:,} movies; {members:,} members are published with
  the model."""
ETHICS = """\
- **Privacy**: the folder holds attributes and plays of members under a hash of their id. That is no anonymity: plays
  and attributes single people out. Guard it like the tables. There is no differential privacy.
- **Groups**: figures are told of groups of at least {floor} members only. Values of an attribute that few raters hold
  count as one.
- **Fairness**: attributes such as gender and age are used as given. Where errors differ between groups, a group is
  served better than another: look at the tables above before you rely on the model.
- **Feedback**: what is shown is what gets played, and what gets played trains the next model."""


def _front_matter(scores: Mapping[str, Mapping[str, float]]) -> str:
    metrics = "\n".join(
        f"          - type: {kind}\n            name: {title}, {_words(name)}\n            value: {row[kind]:.6f}"
        for name, row in scores.items()
        for kind, title in (("rmse", "RMSE"), ("mae", "MAE"))
    )
    return f"""\
---
library_name: coldstart
license: other
license_name: as-the-training-data
pipeline_tag: tabular-regression
tags:
  - recommendation
  - cold-start
  - matrix-factorization
  - lightgbm
metrics:
  - rmse
  - mae
model-index:
  - name: coldstart
    results:
      - task:
          type: tabular-regression
          name: enjoyment of movies by members who never rate
        dataset:
          type: tabular
          name: ratings of held-out members
        metrics:
{metrics}
---"""


def _details(schema: Schema, libraries: Mapping[str, str]) -> str:
    scale = schema.scale
    made_with = ", ".join(f"{name} {number}" for name, number in sorted(libraries.items()))
    return f"""\
- **What**: a factorization of ratings whose members are predicted from attributes and plays, corrected by a LightGBM
  forest; conformal intervals and isotonic probabilities. See docs/model.md of coldstart.
- **In**: any of a member's attributes ({_named(schema.member_attributes)}) and plays; movies by id or description.
- **Out**: a rating from {scale.low:g} to {scale.high:g}, its 90 % interval, the probability of a rating of at least
  {scale.enjoyed_from:g}.
- **Version and date**: the name of the folder is the hash of all in it; `run.json` tells when it was made.
- **Made with**: {made_with}."""


def _factors(schema: Schema, evaluation: Mapping[str, Any]) -> str:
    told = [name for name, groups in evaluation["groups"].items() if groups]
    attributes = _named([one for one in schema.member_attributes if one.name in told])
    return f"""\
What is known of the member (nothing, attributes, plays, both) and of the movie (rated, described, unknown) matters
most; errors are told by both, by the number of plays, by the movie's popularity and by groups of members
({attributes})."""


def _training(counts: Counts, schema: Schema, notes: Sequence[str]) -> str:
    lines = [
        COUNTS.format(**counts),
        f"- Attributes of movies beside year and genres: {_named(schema.movie_attributes)}.",
    ]
    return "\n".join([*lines, *(f"- {note}" for note in notes)])


def _figures(scores: Mapping[str, Mapping[str, float]]) -> str:
    head = "| known of the member | " + " | ".join(title for _, title in FIGURES) + " |"
    lines = [head, "|" + " --- |" * (len(FIGURES) + 1)]
    for name, row in scores.items():
        cells = " | ".join(f"{row[key]:.1f}" if key == "gain_percent" else f"{row[key]:.4f}" for key, _ in FIGURES)
        lines.append(f"| {_words(name)} | {cells} |")
    return "\n".join(lines)


def _groups(evaluation: Mapping[str, Any]) -> str:
    """RMSE by group, without the numbers of ratings: from those, what small groups hide could be worked out."""
    tables = []
    for name, groups in evaluation["groups"].items():
        if groups:
            lines = [f"| {_cell(name)} | RMSE | RMSE of the movie mean |", "| --- | --- | --- |"]
            tables.append("\n".join([*lines, *(_group(group, row) for group, row in groups.items())]))
    return "".join(f"\n\n{one}" for one in tables)


def _group(name: str, row: Mapping[str, float]) -> str:
    return f"| {_cell(name)} | {row['rmse']:.4f} | {row['movie_mean_rmse']:.4f} |"


def _caveats(scores: Mapping[str, Mapping[str, float]], evaluation: Mapping[str, Any]) -> str:
    lines = [
        "- The figures come from people who chose to rate, shown as if they hadn't. Members who never rate may differ."
    ]
    if found := evaluation["never_raters"]:
        lines.append(
            f"- A classifier tells never-raters from raters with an AUC of {found['auc']:.3f} (0.5: alike; 1: sure)."
        )
    best = list(scores.values())[-1]
    lines += [
        f"- Even with the most evidence the error is {best['rmse']:.3f} rating points: look at the intervals.",
        "- Intervals are calibrated on movies that people chose to play; for movies drawn at random they hold less.",
        "- A movie that nobody rated is predicted from its description, which says little.",
        "- Tastes change: retrain often. This model knows nothing after its last rating.",
    ]
    return "\n".join(lines)


def _named(attributes: Sequence[Attribute]) -> str:
    return ", ".join(_cell(one.name) for one in attributes) or "none"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(text: str) -> str:
    """Text of the data as Markdown shows it: no column, link or markup of its own."""
    return "".join("\\" + one if one in "\\|`*_[]<>#" else one for one in " ".join(text.split()))
