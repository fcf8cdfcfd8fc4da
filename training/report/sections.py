"""The sections of an evaluation's report: text, tables and charts, in order."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from model.prediction.calibration import PLAY_BINS
from training.evaluation.interval_scores import EXTRAPOLATION_BINS
from training.evaluation.slices import FEWEST_MEMBERS, POPULARITY_BINS
from training.fit.calibration.intervals import COVERAGE
from training.report.charts import Chart, Series, bars, dots, lines, steps
from training.report.section import (
    ALONE,
    BASE,
    MEAN,
    OURS,
    PRIOR,
    Numbers,
    Rows,
    Section,
    Table,
    by_evidence,
    series,
    table,
    words,
)

TITLE = "Evaluation as never-raters"
METHOD = """\
Every rater is held out once: the model that predicts a rater has seen none of the rater's ratings. Half of the rater's
plays are shown, and the ratings of the other half are predicted, with each kind of evidence in turn. Gains are over the
movie mean, with 95 % intervals from a bootstrap over members.\
"""
MODELS = (
    ("targets", "ratings"), ("mean_rmse", "mean"), ("movie_mean_rmse", "movie mean"), ("group_mean_rmse", "by group"),
    ("lightgbm_alone_rmse", "LightGBM alone"), ("prior_rmse", "prior alone"), ("rmse", "coldstart"),
    ("gain_percent", "gain %"), ("gain_percent_low", "from"), ("gain_percent_high", "to"),
)  # fmt: skip
RANKING = (
    ("mae", "MAE"), ("movie_mean_mae", "movie mean"),
    ("rank_correlation", "rank correlation"), ("movie_mean_rank_correlation", "movie mean"),
    ("ranking_gain", "NDCG of 10"), ("movie_mean_ranking_gain", "movie mean"),
)  # fmt: skip
QUALITY = (
    ("coverage", "coverage"), ("movie_mean_coverage", "movie mean"),
    ("mean_width", "width"), ("movie_mean_width", "movie mean"),
    ("enjoyed_auc", "AUC enjoyed"), ("movie_mean_enjoyed_auc", "movie mean"),
    ("enjoyed_calibration_error", "calibration error"),
)  # fmt: skip
SLICES = (
    ("targets", "ratings"), ("movie_mean_rmse", "movie mean"), ("rmse", "coldstart"), ("coverage", "coverage"),
    ("mean_width", "width"),
)  # fmt: skip
INTERVALS = (("targets", "ratings"), ("rmse", "RMSE"), ("coverage", "coverage"), ("mean_width", "width"))
PROBABILITIES = (("enjoyed_auc", "AUC enjoyed"), ("enjoyed_calibration_error", "calibration error"))
BY_TIME = (
    ("targets", "ratings"), ("mean_rmse", "mean"), ("movie_mean_rmse", "movie mean"), ("rmse", "coldstart"),
    ("bias", "bias"), ("coverage", "coverage"), ("mean_width", "width"),
    ("before_movie_mean_rmse", "movie mean before"), ("before_rmse", "coldstart before"),
)  # fmt: skip

ABLATION = (
    ("movie_mean_rmse", "movie mean", BASE), ("group_mean_rmse", "by group", MEAN),
    ("lightgbm_alone_rmse", "LightGBM alone", ALONE), ("prior_rmse", "prior alone", PRIOR), ("rmse", "coldstart", OURS),
)  # fmt: skip
ERRORS = (("movie_mean_rmse", "movie mean", BASE), ("rmse", "coldstart", OURS))
WIDTHS = (("mean_width", "mean width", OURS),)
COVERAGE_SHOWN = (0.8, 1.0)
"""Minimum range of the axis in coverage charts."""
MOST_FEATURES = 15
"""Maximum number of the trees' inputs with their own bar; the others share one bar."""


def sections(evaluation: Mapping[str, Any], notes: Sequence[str]) -> Iterator[Section]:
    """Yield a section for each part of the evaluation that has numbers, then a section of notes."""
    evidence = by_evidence(evaluation["evidence"])
    yield _errors(evidence, evaluation["grouped_by"])
    yield _ranking(evidence)
    yield _intervals_and_probabilities(evidence)
    yield _calibration(by_evidence(evaluation["calibration_curves"]))
    yield _distribution(by_evidence(evaluation["predictions"]), evaluation["scale"])
    for name, known in (("learning_curve", "attributes and plays"), ("learning_curve_plays_only", "plays only")):
        if evaluation[name]:
            yield _learning_curve(evaluation[name], "plays", known)
    for name, known in (("rating_curve", "all plays and attributes"), ("rating_curve_plays_only", "all plays")):
        if evaluation[name]:
            yield _learning_curve(evaluation[name], "ratings", known)
    if evaluation["importance"]:
        yield _importance(evaluation["importance"])
    yield from _slices(evaluation)
    if evaluation["unrated_movies"]:
        yield _unrated(by_evidence(evaluation["unrated_movies"]))
    yield from _by_what_is_known(evaluation["uncertainty"])
    if evaluation["never_raters"]:
        yield _never_raters(evaluation["never_raters"])
    if evaluation["reweighted"]:
        yield _reweighted(evaluation["reweighted"])
    if "by_time" in evaluation:
        yield _by_time(evaluation["by_time"])
    if notes:
        yield Section("Notes", "How columns and values of the data were treated.", lines=notes)


def _errors(evidence: Rows, grouped_by: Sequence[str]) -> Section:
    text = "In rating points, by what is known about the member. LightGBM without the prior and the prior without "
    text += "LightGBM are shown next to coldstart, which combines them."
    if grouped_by:
        text += f' "By group" is the movie\'s mean among members in the same group by {" and ".join(grouped_by)}.'
    gain, low, high = ([row[f"gain_percent{end}"] for row in evidence.values()] for end in ("", "_low", "_high"))
    charts = (
        _error_chart("Error by evidence", evidence, ABLATION),
        dots(
            "Gain over the movie mean", "Gain in percent with its 95 % interval; further right is better.",
            list(evidence), [Series("gain over the movie mean, %", OURS, gain, low, high)], digits=1,
        ),
    )  # fmt: skip
    return Section("Root mean squared error", text, [table("evidence", evidence, MODELS)], charts)


def _ranking(evidence: Rows) -> Section:
    charts = [
        dots(title, description, list(evidence), series(evidence, columns))
        for title, description, columns in (
            ("Rank correlation", "Spearman's, averaged over members; further right is better.",
             (("movie_mean_rank_correlation", "movie mean", BASE), ("rank_correlation", "coldstart", OURS))),
            ("Ranking gain", "NDCG of the ten movies ranked first; further right is better.",
             (("movie_mean_ranking_gain", "movie mean", BASE), ("ranking_gain", "coldstart", OURS))),
        )
    ]  # fmt: skip
    text = (
        "How well the movies of each member are ordered: Spearman's rank correlation, and the NDCG of the ten movies "
        "ranked first. The mean absolute error (MAE) is listed as well."
    )
    return Section("Ranking", text, [table("evidence", evidence, RANKING)], charts)


def _intervals_and_probabilities(evidence: Rows) -> Section:
    text = (
        "Coverage and width of the 90 % intervals. Width is measured between the outermost possible ratings in an "
        "interval. The movie mean's intervals extend by the same distance to both sides for all ratings."
    )
    charts = _interval_charts(evidence, WIDTHS)
    return Section("Intervals and probabilities", text, [table("evidence", evidence, QUALITY)], charts)


def _calibration(curves: Mapping[str, Sequence[Numbers]]) -> Section:
    name = list(curves)[-1]
    chart = lines(
        "Calibration of the probability to enjoy",
        "Share enjoyed against predicted probability, with the most evidence; the dashed line is ideal.",
        [point["predicted"] for point in curves[name]],
        [Series(name, OURS, [point["observed"] for point in curves[name]])],
        ("predicted probability", "share enjoyed"), diagonal=True,
    )  # fmt: skip
    rows = {f"{name}, {place}": point for name, points in curves.items() for place, point in enumerate(points, 1)}
    columns = (("targets", "ratings"), ("predicted", "predicted"), ("observed", "observed"))
    text = "The share of movies that were enjoyed, by their predicted probability."
    return Section("Calibration", text, [table("evidence, bin", rows, columns, page_only=True)], [chart])


def _distribution(shares: Mapping[str, Sequence[float]], scale: Numbers) -> Section:
    name, bins = list(shares)[-1], len(shares["ratings"])
    low, high = scale["low"], max(scale["high"], scale["low"] + 1e-9)
    chart = steps(
        "Distribution of predictions", "Share of predictions and of true ratings in equal bins on the rating scale.",
        (low, high),
        [Series("ratings given", BASE, shares["ratings"]), Series("predicted, most evidence", OURS, shares[name])],
        "rating",
    )  # fmt: skip
    rows = {
        f"from {low + place * (high - low) / bins:.2f}": {kind: values[place] for kind, values in shares.items()}
        for place in range(bins)
    }
    text = "Predictions are means, so they vary less than the ratings that members give."
    numbers = table("bin", rows, [(kind, kind) for kind in shares], page_only=True)
    return Section("Distribution of predictions", text, [numbers], [chart])


def _learning_curve(points: Sequence[Mapping[str, Any]], unit: str, known: str) -> Section:
    """Return the section of a learning curve; `unit` says what more and more is shown of, plays or ratings."""
    rows = {point[unit]: {key: value for key, value in point.items() if key != unit} for point in points}
    places = [float(place) for place in range(len(points))]
    chart = lines(
        f"Learning curve, {known}", f"Error by number of known {unit}; lower is better.",
        places, series(rows, ERRORS), (f"known {unit}", "RMSE"), dict(zip(places, rows, strict=True)),
    )  # fmt: skip
    text = (
        f"The same {points[0]['targets']:,.0f} ratings of {points[0]['members']:,.0f} members, predicted with more and "
        f"more of their {unit} shown. The members have {points[-1][f'{unit}_from']:.0f} on average."
    )
    if {"3", "10"} <= rows.keys() and unit == "ratings":
        worth = (rows["3"]["rmse"] - rows["10"]["rmse"]) / 7
        text += f" From the third to the tenth rating, each lowers the RMSE by {worth:.4f} on average."
    return Section(f"By number of {unit} known, {known}", text, [table(f"{unit} known", rows, SLICES)], [chart])


def _importance(shares: Numbers) -> Section:
    features = sorted(shares.items(), key=lambda feature: (-feature[1], feature[0]))
    groups: dict[str, float] = {}
    for name, share in features:
        group = name.split(":", 1)[0]
        groups[group] = groups.get(group, 0.0) + share
    strongest = dict(features[:MOST_FEATURES])
    if others := features[MOST_FEATURES:]:
        strongest[f"{len(others)} others"] = sum(share for _, share in others)
    charts = (
        bars(
            "Importance by group", "Share of the trees' gain for each group of features.",
            dict(sorted(groups.items(), key=lambda group: -group[1])), PRIOR,
        ),
        bars("Importance by feature", "Share of the trees' gain for the strongest features.", strongest),
    )  # fmt: skip
    text = "How much the trees use each feature to correct the prior: its share of the gain of all splits in training."
    rows = {name: {"share": share} for name, share in features}
    numbers = table("feature", rows, (("share", "share"),), page_only=True)
    return Section("Importance in the trees", text, [numbers], charts)


def _slices(evaluation: Mapping[str, Any]) -> Iterator[Section]:
    """Yield report sections on the error by popularity of the movie and by group of members."""
    from_ratings = {f"{point['ratings_from']:g} or more": point for point in evaluation["popularity"]}
    popularity = _ranges(from_ratings, POPULARITY_BINS)
    titled = [
        ("number of ratings of the movie", "ratings of the movie", popularity, "Predicted with the most evidence.")
    ]
    text = f"Predicted with the most evidence; groups of fewer than {FEWEST_MEMBERS} members are left out."
    titled += [(name, name, groups, text) for name, groups in evaluation["groups"].items()]
    for title, first, rows, text in titled:
        if rows:
            chart = _error_chart(f"Error by {title}", rows, ERRORS)
            yield Section(f"By {title}", text, [table(first, rows, SLICES)], [chart])


def _unrated(rows: Rows) -> Section:
    rows = {name.replace("attributes and plays", "both").replace(", movie ", ": "): row for name, row in rows.items()}
    chart = _error_chart("Error for unrated movies", rows, (("mean_rmse", "mean of all", MEAN), *ERRORS[1:]))
    text = (
        "Ratings of rated movies, predicted as if only the movie's description were known, or nothing about the movie. "
        "Each rating counts once, so that movies with many ratings weigh most. An unknown movie is predicted like a "
        "typical movie, which has few ratings and a mean below that of all ratings."
    )
    columns = (("targets", "ratings"), ("mean_rmse", "mean"), ("rmse", "coldstart"))
    return Section("Movies as if nobody had rated them", text, [table("evidence", rows, columns)], [chart])


def _by_what_is_known(uncertainty: Mapping[str, Any]) -> Iterator[Section]:
    """Yield report sections on intervals by number of plays or ratings, by extrapolation, and on common ratings."""
    for title, key, first, starts, text in (
        ("number of plays", "by_plays", "plays", PLAY_BINS,
         "With more plays, intervals get narrower with the same coverage."),
        ("number of ratings", "by_ratings", "ratings shown", PLAY_BINS,
         "Ratings are shown at random, few and many alike; the members who have many to show are others."),
        ("extrapolation", "by_extrapolation", "extrapolation", EXTRAPOLATION_BINS,
         "Extrapolation is the share of raters who are closer to the training raters than the member is."),
    ):  # fmt: skip
        for name, bins in uncertainty[key].items():
            if bins:
                rows = _ranges(bins, starts)
                charts = _interval_charts(rows, WIDTHS)
                title_ = f"Intervals by {title}, with {words(name)} known"
                yield Section(title_, text, [table(first, rows, (*INTERVALS, *PROBABILITIES))], charts)
    if uncertainty["same_ratings"]:
        rows = {
            words(name).replace("attributes and plays", "both"): row
            for name, row in uncertainty["same_ratings"].items()
        }
        chart = dots(
            "Width of the 90 % intervals", "Mean width in rating points; further left is narrower.",
            list(rows), series(rows, (("all_mean_width", "with all plays", BASE), *WIDTHS)),
        )  # fmt: skip
        text = "First, ratings predicted by every kind of evidence; then, those predicted from few and from all plays."
        columns = (*INTERVALS, ("all_rmse", "RMSE, all plays"), ("all_mean_width", "width, all plays"))
        yield Section("The same ratings with less known", text, [table("known", rows, columns)], [chart])


def _never_raters(comparison: Mapping[str, Any]) -> Section:
    differences = {name: {"difference": value} for name, value in comparison["differences"].items()}
    drivers = {name: {"share": value} for name, value in comparison["drivers"].items()}
    charts = [
        dots(
            "How members who never rate differ",
            "Difference of means in standard deviations; values right of zero are higher for never-raters.",
            list(differences), [Series("never-raters minus raters", OURS, list(comparison["differences"].values()))],
            digits=2, within=(0.0,),
        )
    ]  # fmt: skip
    numbers = [table("fact", differences, (("difference", "difference"),), "Differences")]
    text = (
        f"A classifier separates {comparison['never_raters']:,.0f} never-raters from {comparison['raters']:,.0f} "
        f"raters with an AUC of {comparison['auc']:.3f} (0.5 if they don't differ)."
    )
    by_known = ", ".join(f"{name} {value:.3f}" for name, value in comparison["auc_by_known"].items())
    if by_known:
        text += f" For never-raters with only these facts, and raters of whom only these are used, it is: {by_known}."
    text += " The more they differ, the less the figures in this report apply to never-raters. Below are the largest "
    text += "differences of their means, in standard deviations, and the facts that the classifier uses most."
    if drivers:
        description = "Share of the classifier's gain."
        charts.append(bars("What the classifier uses", description, comparison["drivers"], PRIOR))
        numbers.append(table("fact", drivers, (("share", "share of the classifier's gain"),), "Shares of the gain"))
    return Section("How members who never rate differ from raters", text, numbers, charts)


def _reweighted(reweighted: Mapping[str, Any]) -> Section:
    rows = by_evidence(reweighted["evidence"])
    text = (
        f"Raters are weighted to resemble {reweighted['never_raters']:,.0f} members who never rate, here and in "
        f"training. The {reweighted['raters']:,.0f} weighted raters carry as much information as "
        f"{reweighted['effective_raters']:,.0f} raters of equal weight."
    )
    chart = _error_chart("Error weighted as never-raters", rows, ERRORS)
    return Section("Weighted as never-raters", text, [table("evidence", rows, SLICES)], [chart])


def _by_time(by_time: Mapping[str, Any]) -> Section:
    rows = by_evidence(by_time["evidence"])
    text = (
        f"Trained on {by_time['ratings_before']:,.0f} ratings before {by_time['moment']}, to predict the later "
        f"ratings of {by_time['members_after']:,.0f} members, treated as never-raters, from earlier plays. "
        '"Before" is the same model on earlier ratings of held-out members. Bias is predicted minus true rating.'
    )
    if by_time["ratings_without_time"]:
        text += f" {by_time['ratings_without_time']:,.0f} ratings without a time are left out."
    shown = (
        ("movie_mean_rmse", "movie mean after", BASE), ("before_rmse", "coldstart before", PRIOR),
        ("rmse", "coldstart after", OURS),
    )  # fmt: skip
    numbers: list[Table] = [table("evidence", rows, BY_TIME, "By evidence")]
    if by_time["movies"]:
        numbers.append(table("movie", by_time["movies"], BY_TIME, "By what is known about the movie"))
    return Section("By time", text, numbers, [_error_chart("Error by time", rows, shown)])


def _error_chart(title: str, rows: Rows, columns: Sequence[tuple[str, str, int]]) -> Chart:
    return dots(title, "Root mean squared error; further left is better.", list(rows), series(rows, columns))


def _interval_charts(rows: Rows, widths: Sequence[tuple[str, str, int]]) -> tuple[Chart, Chart]:
    """Return two charts: the coverage and the width of the 90 % intervals."""
    promised = {name: {**row, "nominal": COVERAGE} for name, row in rows.items()}
    coverages = series(promised, (("nominal", "nominal", MEAN), ("coverage", "measured", OURS)))
    return (
        dots(
            "Coverage of the 90 % intervals",
            "Share of ratings within their interval; intervals are too wide above 0.9 and too narrow below.",
            list(rows), coverages, within=COVERAGE_SHOWN,
        ),
        dots(
            "Width of the 90 % intervals", "Mean width in rating points; further left is narrower.",
            list(rows), series(rows, widths),
        ),
    )  # fmt: skip


def _ranges(bins: Rows, starts: Sequence[float]) -> dict[str, Numbers]:
    """Return the rows of bins that don't overlap, ascending and named by their range, such as "1 to 19".

    The names of `bins` begin with the lowest value of each. `starts` are the lowest values of all bins, also of those
    that are left out. A bin of shares ends where the next one begins.
    """
    gap = 1 if all(float(start).is_integer() for start in starts) else 0
    names = {start: f"{start:,g} to {end - gap:,g}" for start, end in pairwise(starts)}
    rows = {float(name.split()[0]): row for name, row in bins.items()}
    return {names.get(start, f"{start:,g} or more"): rows[start] for start in sorted(rows)}
