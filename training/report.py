"""The evaluation as people read it: a Markdown report, which the terminal shows too."""

from collections.abc import Mapping, Sequence
from typing import Any

MODELS = (
    ("mean_rmse", "mean"),
    ("movie_mean_rmse", "movie mean"),
    ("lightgbm_alone_rmse", "LightGBM alone"),
    ("prior_rmse", "prior alone"),
    ("rmse", "coldstart"),
    ("gain_percent", "gain %"),
    ("gain_percent_low", "from"),
    ("gain_percent_high", "to"),
)
QUALITY = (
    ("mae", "MAE"),
    ("rank_correlation", "rank correlation"),
    ("movie_mean_rank_correlation", "movie mean's"),
    ("coverage", "coverage"),
    ("mean_width", "width"),
    ("enjoyed_auc", "AUC enjoyed"),
    ("enjoyed_calibration_error", "calibration error"),
)


METHOD = """\
Every rater is held out once: the model that predicts it saw none of its ratings. Half of its plays are shown, the
ratings of the other half are predicted, with what each kind of evidence leaves known. The gain is over the movie mean,
with its 95 % interval over members.\
"""


def markdown(evaluation: Mapping[str, Any], notes: Sequence[str]) -> str:
    """The report of one evaluation."""
    evidence = evaluation["evidence"]
    sections = [
        "# Evaluation as never-raters",
        METHOD,
        "## Root mean squared error",
        _table("evidence", evidence, MODELS),
        "## Ranking, intervals and probabilities",
        "Coverage and width are those of the 90 % intervals; widths count from rating to rating.",
        _table("evidence", evidence, QUALITY),
    ]
    if evaluation["learning_curve"]:
        curve = {f"{point['plays_from']:.0f} or more": point for point in evaluation["learning_curve"]}
        columns = (("targets", "targets"), ("movie_mean_rmse", "movie mean"), ("rmse", "coldstart"))
        sections += ["## By number of plays known", _table("plays", curve, columns)]
    columns = (("targets", "targets"), ("movie_mean_rmse", "movie mean"), ("rmse", "coldstart"))
    if evaluation["popularity"]:
        bins = {f"{point['ratings_from']:.0f} or more": point for point in evaluation["popularity"]}
        sections += ["## By number of ratings of the movie", _table("ratings", bins, columns)]
    for name, groups in evaluation["groups"].items():
        if groups:
            sections += [f"## By {name}", _table(name, groups, columns)]
    if evaluation["unrated_movies"]:
        columns = (("targets", "targets"), ("mean_rmse", "mean"), ("rmse", "coldstart"))
        sections += [
            "## Movies as if nobody had rated them",
            "Ratings of rated movies, predicted from the movie's description alone, or from nothing.",
            _table("evidence", evaluation["unrated_movies"], columns),
        ]
    sections += _uncertainty(evaluation["uncertainty"])
    if evaluation["never_raters"]:
        sections += _never_raters(evaluation["never_raters"])
    if evaluation["reweighted"]:
        sections += _reweighted(evaluation["reweighted"])
    if notes:
        sections += ["## Notes", "\n".join(f"- {note}" for note in notes)]
    return "\n\n".join(sections) + "\n"


INTERVALS = (("targets", "targets"), ("rmse", "RMSE"), ("coverage", "coverage"), ("mean_width", "width"))


def _uncertainty(found: Mapping[str, Any]) -> list[str]:
    sections = []
    for name, bins in found["by_plays"].items():
        if bins:
            sections += [f"## Intervals by number of plays, {_told(name)}", _table("plays", bins, INTERVALS)]
    for name, bins in found["by_extrapolation"].items():
        if bins:
            sections += [
                f"## Intervals by extrapolation, {_told(name)}",
                "Extrapolation is the share of raters who lie nearer to those that were learned from.",
                _table("extrapolation", bins, INTERVALS),
            ]
    if found["same_ratings"]:
        columns = (*INTERVALS, ("all_rmse", "RMSE, all plays"), ("all_mean_width", "width, all plays"))
        sections += [
            "## The same ratings with less known",
            "First ratings that every kind of evidence predicts; then those predicted from few plays and from all.",
            _table("known", found["same_ratings"], columns),
        ]
    return sections


def _never_raters(found: Mapping[str, Any]) -> list[str]:
    told = f"A classifier tells them apart with an AUC of {found['auc']:.3f} (0.5 where they are alike)."
    by_known = ", ".join(f"{name} {value:.3f}" for name, value in found["auc_by_known"].items())
    if by_known:
        told += f" Where just that is known of never-raters, beside raters seen with just that: {by_known}."
    lines = [f"- {name}: {value:+.2f}" for name, value in found["differences"].items()]
    drivers = [f"- {name}: {value:.0%}" for name, value in found["drivers"].items()]
    sections = [
        "## How members who never rate differ from raters",
        f"{told} The largest differences of never-raters' means from raters', in standard deviations:",
        "\n".join(lines),
    ]
    return (
        [*sections, "What the classifier goes by, in shares of its gain:", "\n".join(drivers)] if drivers else sections
    )


def _reweighted(found: Mapping[str, Any]) -> list[str]:
    columns = (*INTERVALS[:1], ("movie_mean_rmse", "movie mean"), ("rmse", "coldstart"), ("coverage", "coverage"))
    told = (
        f"Each rater counts as much as {found['never_raters']:,.0f} members who never rate are like it, here and in "
        f"training. The {found['raters']:,.0f} raters tell as much as {found['effective_raters']:,.0f} of equal weight."
    )
    return ["## Weighted as never-raters", told, _table("evidence", found["evidence"], columns)]


def _told(name: str) -> str:
    return name.replace("_", " ")


def _table(first: str, rows: Mapping[str, Mapping[str, float]], columns: Sequence[tuple[str, str]]) -> str:
    cells = [[first, *(title for _, title in columns)]]
    cells += [[name.replace("_", " "), *(_number(key, row) for key, _ in columns)] for name, row in rows.items()]
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _number(key: str, row: Mapping[str, float]) -> str:
    if key not in row:
        return ""
    return (
        f"{row[key]:,.0f}" if key == "targets" else f"{row[key]:.2f}" if key.startswith("gain") else f"{row[key]:.4f}"
    )
