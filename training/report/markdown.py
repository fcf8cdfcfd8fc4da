"""The evaluation as people read it: a Markdown report, which the terminal shows too."""

from collections.abc import Mapping, Sequence
from typing import Any

MODELS = (
    ("mean_rmse", "mean"),
    ("movie_mean_rmse", "movie mean"),
    ("group_mean_rmse", "by group"),
    ("lightgbm_alone_rmse", "LightGBM alone"),
    ("prior_rmse", "prior alone"),
    ("rmse", "coldstart"),
    ("gain_percent", "gain %"),
    ("gain_percent_low", "from"),
    ("gain_percent_high", "to"),
)
RANKING = (
    ("mae", "MAE"),
    ("movie_mean_mae", "movie mean's"),
    ("rank_correlation", "rank correlation"),
    ("movie_mean_rank_correlation", "movie mean's"),
    ("ranking_gain", "NDCG of 10"),
    ("movie_mean_ranking_gain", "movie mean's"),
)
QUALITY = (
    ("coverage", "coverage"),
    ("movie_mean_coverage", "movie mean's"),
    ("mean_width", "width"),
    ("movie_mean_width", "movie mean's"),
    ("enjoyed_auc", "AUC enjoyed"),
    ("movie_mean_enjoyed_auc", "movie mean's"),
    ("enjoyed_calibration_error", "calibration error"),
)
SLICES = (
    ("targets", "targets"),
    ("movie_mean_rmse", "movie mean"),
    ("rmse", "coldstart"),
    ("coverage", "coverage"),
    ("mean_width", "width"),
)


INTERVAL_TEXT = """\
Coverage and width are those of the 90 % intervals; widths count from rating to rating. The movie mean's intervals reach
equally far to both sides.\
"""
BY_TIME = (
    ("targets", "targets"),
    ("mean_rmse", "mean"),
    ("movie_mean_rmse", "movie mean"),
    ("rmse", "coldstart"),
    ("bias", "bias"),
    ("coverage", "coverage"),
    ("mean_width", "width"),
    ("before_movie_mean_rmse", "movie mean before"),
    ("before_rmse", "coldstart before"),
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
        *_grouped_by(evaluation["grouped_by"]),
        _table("evidence", evidence, MODELS),
        "## Ranking",
        "Within the movies of one member: Spearman's rank correlation, and how good the ten ranked first are.",
        _table("evidence", evidence, RANKING),
        "## Intervals and probabilities",
        INTERVAL_TEXT,
        _table("evidence", evidence, QUALITY),
        *_learning_curve(evaluation["learning_curve"], "attributes and plays"),
        *_learning_curve(evaluation["learning_curve_plays_only"], "plays only"),
    ]
    if evaluation["popularity"]:
        bins = {f"{point['ratings_from']:.0f} or more": point for point in evaluation["popularity"]}
        sections += ["## By number of ratings of the movie", _table("ratings", bins, SLICES)]
    for name, groups in evaluation["groups"].items():
        if groups:
            sections += [f"## By {name}", _table(name, groups, SLICES)]
    if evaluation["unrated_movies"]:
        columns = (("targets", "targets"), ("mean_rmse", "mean"), ("rmse", "coldstart"))
        sections += [
            "## Movies as if nobody had rated them",
            UNRATED,
            _table("evidence", evaluation["unrated_movies"], columns),
        ]
    sections += _uncertainty(evaluation["uncertainty"])
    if evaluation["never_raters"]:
        sections += _never_raters(evaluation["never_raters"])
    if evaluation["reweighted"]:
        sections += _reweighted(evaluation["reweighted"])
    if "by_time" in evaluation:
        sections += _by_time(evaluation["by_time"])
    if notes:
        sections += ["## Notes", "\n".join(f"- {note}" for note in notes)]
    return "\n\n".join(sections) + "\n"


UNRATED = (
    "Ratings of rated movies, predicted from the movie's description alone, or from nothing. They count by ratings, so "
    "that movies which many rate weigh most; a movie that nobody rated is taken to be like the usual movie, of few "
    "ratings, which lies below the mean of all ratings."
)
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


def _grouped_by(names: Sequence[str]) -> list[str]:
    crossed = " and ".join(names)
    return [f'"By group" is the mean of the movie among members alike in {crossed}.'] if names else []


def _learning_curve(points: Sequence[Mapping[str, Any]], known: str) -> list[str]:
    if not points:
        return []
    told = (
        f"The same {points[0]['targets']:,.0f} ratings of {points[0]['members']:,.0f} members, with more and more of "
        f"their plays shown; all are {points[-1]['plays_from']:.0f} in the mean."
    )
    return [
        f"## By number of plays known, {known}",
        told,
        _table("plays", {one["plays"]: one for one in points}, SLICES),
    ]


def _by_time(found: Mapping[str, Any]) -> list[str]:
    told = (
        f"Learned from {found['ratings_before']:,.0f} ratings before {found['moment']}; predicted are ratings that "
        f"{found['members_after']:,.0f} members, seen as never-raters, gave after it, from plays before the rating. "
        "Beside them the same model on held-out members' ratings before the moment. Bias is predicted less given."
    )
    if found["ratings_without_time"]:
        told += f" {found['ratings_without_time']:,.0f} ratings without a time are left out."
    sections = ["## By time", told, _table("evidence", found["evidence"], BY_TIME)]
    return [*sections, _table("movie", found["movies"], BY_TIME[:7])] if found["movies"] else sections


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
