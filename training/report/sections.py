"""The sections of an evaluation's report, in order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.evaluation.slices import FEWEST_MEMBERS
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
Every rater is held out once: the model that predicts it saw none of its ratings. Half of its plays are shown, the
ratings of the other half are predicted, with what each kind of evidence leaves known. The gain is over the movie mean,
with its 95 % interval over members.\
"""
MODELS = (
    ("targets", "ratings"), ("mean_rmse", "mean"), ("movie_mean_rmse", "movie mean"), ("group_mean_rmse", "by group"),
    ("lightgbm_alone_rmse", "LightGBM alone"), ("prior_rmse", "prior alone"), ("rmse", "coldstart"),
    ("gain_percent", "gain %"), ("gain_percent_low", "from"), ("gain_percent_high", "to"),
)  # fmt: skip
RANKING = (
    ("mae", "MAE"), ("movie_mean_mae", "movie mean's"),
    ("rank_correlation", "rank correlation"), ("movie_mean_rank_correlation", "movie mean's"),
    ("ranking_gain", "NDCG of 10"), ("movie_mean_ranking_gain", "movie mean's"),
)  # fmt: skip
QUALITY = (
    ("coverage", "coverage"), ("movie_mean_coverage", "movie mean's"),
    ("mean_width", "width"), ("movie_mean_width", "movie mean's"),
    ("enjoyed_auc", "AUC enjoyed"), ("movie_mean_enjoyed_auc", "movie mean's"),
    ("enjoyed_calibration_error", "calibration error"),
)  # fmt: skip
SLICES = (
    ("targets", "ratings"), ("movie_mean_rmse", "movie mean"), ("rmse", "coldstart"), ("coverage", "coverage"),
    ("mean_width", "width"),
)  # fmt: skip
INTERVALS = (("targets", "ratings"), ("rmse", "RMSE"), ("coverage", "coverage"), ("mean_width", "width"))
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
"""Every chart of coverage spans these shares at least."""
MOST_FEATURES = 15
"""Bars of the strongest features; the others share one."""


def sections(evaluation: Mapping[str, Any], notes: Sequence[str]) -> Iterator[Section]:
    """All sections that the evaluation has numbers for, then its notes."""
    evidence = by_evidence(evaluation["evidence"])
    yield _errors(evidence, evaluation["grouped_by"])
    yield _ranking(evidence)
    yield _intervals_and_probabilities(evidence)
    yield _calibration(by_evidence(evaluation["calibration_curves"]))
    yield _distribution(by_evidence(evaluation["predictions"]), evaluation["scale"])
    for name, known in (("learning_curve", "attributes and plays"), ("learning_curve_plays_only", "plays only")):
        if evaluation[name]:
            yield _learning_curve(evaluation[name], known)
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
        yield Section("Notes", "What was done with columns and values.", lines=notes)


def _errors(evidence: Rows, grouped_by: Sequence[str]) -> Section:
    text = (
        "In rating points, by what is known of the member. LightGBM without the prior and the prior without LightGBM "
    )
    text += "stand beside coldstart, which is both."
    if grouped_by:
        text += f' "By group" is the mean of the movie among members alike in {" and ".join(grouped_by)}.'
    gain, low, high = ([row[f"gain_percent{end}"] for row in evidence.values()] for end in ("", "_low", "_high"))
    charts = (
        _error_chart("Error by evidence", evidence, ABLATION),
        dots(
            "Gain over the movie mean", "Gain in percent with its 95 % interval over members; further right is better.",
            list(evidence), [Series("gain over the movie mean, %", OURS, gain, low, high)], digits=1,
        ),
    )  # fmt: skip
    return Section("Root mean squared error", text, [table("evidence", evidence, MODELS)], charts)


def _ranking(evidence: Rows) -> Section:
    charts = [
        dots(title, description, list(evidence), series(evidence, columns))
        for title, description, columns in (
            ("Rank correlation", "Spearman's, the mean over members; further right is better.",
             (("movie_mean_rank_correlation", "movie mean", BASE), ("rank_correlation", "coldstart", OURS))),
            ("Ranking gain", "NDCG of the ten movies ranked first; further right is better.",
             (("movie_mean_ranking_gain", "movie mean", BASE), ("ranking_gain", "coldstart", OURS))),
        )
    ]  # fmt: skip
    text = (
        "Within the movies of one member: Spearman's rank correlation, and how good the ten ranked first are. Beside "
        "them the mean absolute error (MAE)."
    )
    return Section("Ranking", text, [table("evidence", evidence, RANKING)], charts)


def _intervals_and_probabilities(evidence: Rows) -> Section:
    text = (
        "Coverage and width are those of the 90 % intervals; widths count from rating to rating. The movie mean's "
        "intervals reach equally far to both sides."
    )
    charts = _interval_charts(evidence, WIDTHS)
    return Section("Intervals and probabilities", text, [table("evidence", evidence, QUALITY)], charts)


def _calibration(curves: Mapping[str, Sequence[Numbers]]) -> Section:
    name = list(curves)[-1]
    chart = lines(
        "Calibration of the probability to enjoy",
        "Share enjoyed against the predicted probability, with the most evidence; on the dashed line they agree.",
        [point["predicted"] for point in curves[name]],
        [Series(name, OURS, [point["observed"] for point in curves[name]])],
        ("predicted probability", "share enjoyed"), diagonal=True,
    )  # fmt: skip
    rows = {f"{name}, {place}": point for name, points in curves.items() for place, point in enumerate(points, 1)}
    columns = (("targets", "ratings"), ("predicted", "predicted"), ("observed", "observed"))
    text = "Of movies with this predicted probability, the share that was enjoyed."
    return Section("Calibration", text, [table("evidence, bin", rows, columns, page_only=True)], [chart])


def _distribution(shares: Mapping[str, Sequence[float]], scale: Numbers) -> Section:
    name, bins = list(shares)[-1], len(shares["ratings"])
    low, high = scale["low"], max(scale["high"], scale["low"] + 1e-9)
    chart = steps(
        "Distribution of predictions", "Share of predictions and of true ratings in equal bins over the rating scale.",
        (low, high),
        [Series("ratings given", BASE, shares["ratings"]), Series("predicted, with all known", OURS, shares[name])],
        "rating",
    )  # fmt: skip
    rows = {
        f"from {low + place * (high - low) / bins:.2f}": {kind: values[place] for kind, values in shares.items()}
        for place in range(bins)
    }
    text = "Predictions are means, so they spread less than the ratings that members give."
    numbers = table("bin", rows, [(kind, kind) for kind in shares], page_only=True)
    return Section("Distribution of predictions", text, [numbers], [chart])


def _learning_curve(points: Sequence[Mapping[str, Any]], known: str) -> Section:
    rows = {point["plays"]: {key: value for key, value in point.items() if key != "plays"} for point in points}
    places = [float(place) for place in range(len(points))]
    chart = lines(
        f"Learning curve, {known}", "Error by number of plays known; lower is better.",
        places, series(rows, ERRORS), ("plays known", "RMSE"), dict(zip(places, rows, strict=True)),
    )  # fmt: skip
    text = (
        f"The same {points[0]['targets']:,.0f} ratings of {points[0]['members']:,.0f} members, with more and more of "
        f"their plays shown; all are {points[-1]['plays_from']:.0f} in the mean."
    )
    return Section(f"By number of plays known, {known}", text, [table("plays", rows, SLICES)], [chart])


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
    text = "What the trees correct the prior by: each feature's share of what splits on it gained in training."
    rows = {name: {"share": share} for name, share in features}
    numbers = table("feature", rows, (("share", "share"),), page_only=True)
    return Section("Importance in the trees", text, [numbers], charts)


def _slices(evaluation: Mapping[str, Any]) -> Iterator[Section]:
    """By popularity of the movie and by group of members."""
    popularity = {f"{point['ratings_from']:,.0f} or more": point for point in evaluation["popularity"]}
    titled = [("number of ratings of the movie", "ratings of the movie", popularity, "With the most evidence.")]
    text = f"With the most evidence; groups of fewer than {FEWEST_MEMBERS} members are left out."
    titled += [(name, name, groups, text) for name, groups in evaluation["groups"].items()]
    for title, first, rows, text in titled:
        if rows:
            chart = _error_chart(f"Error by {title}", rows, ERRORS)
            yield Section(f"By {title}", text, [table(first, rows, SLICES)], [chart])


def _unrated(rows: Rows) -> Section:
    rows = {name.replace("attributes and plays", "both").replace(", movie ", ": "): row for name, row in rows.items()}
    chart = _error_chart("Error for unrated movies", rows, (("mean_rmse", "mean of all", MEAN), *ERRORS[1:]))
    text = (
        "Ratings of rated movies, predicted from the movie's description alone, or from nothing. They count by "
        "ratings, so that movies which many rate weigh most; a movie that nobody rated is taken to be like the usual "
        "movie, of few ratings, which lies below the mean of all ratings."
    )
    columns = (("targets", "ratings"), ("mean_rmse", "mean"), ("rmse", "coldstart"))
    return Section("Movies as if nobody had rated them", text, [table("evidence", rows, columns)], [chart])


def _by_what_is_known(uncertainty: Mapping[str, Any]) -> Iterator[Section]:
    """Intervals by number of plays and by extrapolation, and of the same ratings with less known."""
    for title, key, first, text in (
        ("number of plays", "by_plays", "plays", "With more plays known, intervals get narrower and hold as often."),
        ("extrapolation", "by_extrapolation", "extrapolation",
         "Extrapolation is the share of raters who lie nearer to those that were learned from."),
    ):  # fmt: skip
        for name, bins in uncertainty[key].items():
            if bins:
                rows = _ascending(bins)
                charts = _interval_charts(rows, WIDTHS)
                title_ = f"Intervals by {title}, with {words(name)} known"
                yield Section(title_, text, [table(first, rows, INTERVALS)], charts)
    if uncertainty["same_ratings"]:
        rows = {
            words(name).replace("attributes and plays", "both"): row
            for name, row in uncertainty["same_ratings"].items()
        }
        chart = dots(
            "Width of the 90 % intervals", "Mean width in rating points; further left is narrower.",
            list(rows), series(rows, (("all_mean_width", "with all plays", BASE), *WIDTHS)),
        )  # fmt: skip
        text = "First ratings that every kind of evidence predicts; then those predicted from few plays and from all."
        columns = (*INTERVALS, ("all_rmse", "RMSE, all plays"), ("all_mean_width", "width, all plays"))
        yield Section("The same ratings with less known", text, [table("known", rows, columns)], [chart])


def _never_raters(comparison: Mapping[str, Any]) -> Section:
    differences = {name: {"difference": value} for name, value in comparison["differences"].items()}
    drivers = {name: {"share": value} for name, value in comparison["drivers"].items()}
    charts = [
        dots(
            "How members who never rate differ",
            "Difference of means in standard deviations; right of zero, never-raters have more of it.",
            list(differences), [Series("never-raters less raters", OURS, list(comparison["differences"].values()))],
            digits=2, within=(0.0,),
        )
    ]  # fmt: skip
    numbers = [table("fact", differences, (("difference", "difference"),), "Differences")]
    text = (
        f"A classifier tells {comparison['never_raters']:,.0f} never-raters from {comparison['raters']:,.0f} raters "
        f"with an AUC of {comparison['auc']:.3f} (0.5 where they are alike)."
    )
    by_known = ", ".join(f"{name} {value:.3f}" for name, value in comparison["auc_by_known"].items())
    if by_known:
        text += f" Where just that is known of never-raters, beside raters seen with just that: {by_known}."
    text += (
        " Where they differ much, trust these figures less. Below are the largest differences of never-raters' means "
    )
    text += "from raters', in standard deviations, and what the classifier goes by."
    if drivers:
        description = "Share of the classifier's gain."
        charts.append(bars("What the classifier goes by", description, comparison["drivers"], PRIOR))
        numbers.append(table("fact", drivers, (("share", "share of the classifier's gain"),), "Shares of the gain"))
    return Section("How members who never rate differ from raters", text, numbers, charts)


def _reweighted(reweighted: Mapping[str, Any]) -> Section:
    rows = by_evidence(reweighted["evidence"])
    text = (
        f"Each rater counts as much as {reweighted['never_raters']:,.0f} members who never rate are like it, here and "
        f"in training. The {reweighted['raters']:,.0f} raters tell as much as {reweighted['effective_raters']:,.0f} of "
        "equal weight."
    )
    chart = _error_chart("Error weighted as never-raters", rows, ERRORS)
    return Section("Weighted as never-raters", text, [table("evidence", rows, SLICES)], [chart])


def _by_time(by_time: Mapping[str, Any]) -> Section:
    rows = by_evidence(by_time["evidence"])
    text = (
        f"Learned from {by_time['ratings_before']:,.0f} ratings before {by_time['moment']}; predicted are ratings that "
        f"{by_time['members_after']:,.0f} members, seen as never-raters, gave after it, from plays before the rating. "
        "Beside them the same model on held-out members' ratings before the moment. Bias is predicted less given."
    )
    if by_time["ratings_without_time"]:
        text += f" {by_time['ratings_without_time']:,.0f} ratings without a time are left out."
    shown = (
        ("movie_mean_rmse", "movie mean after", BASE), ("before_rmse", "coldstart before", PRIOR),
        ("rmse", "coldstart after", OURS),
    )  # fmt: skip
    numbers: list[Table] = [table("evidence", rows, BY_TIME, "By evidence")]
    if by_time["movies"]:
        numbers.append(table("movie", by_time["movies"], BY_TIME, "By what is known of the movie"))
    return Section("By time", text, numbers, [_error_chart("Error by time", rows, shown)])


def _error_chart(title: str, rows: Rows, columns: Sequence[tuple[str, str, int]]) -> Chart:
    return dots(title, "Root mean squared error; further left is better.", list(rows), series(rows, columns))


def _interval_charts(rows: Rows, widths: Sequence[tuple[str, str, int]]) -> tuple[Chart, Chart]:
    """Coverage and width of the 90 % intervals."""
    promised = {name: {**row, "nominal": COVERAGE} for name, row in rows.items()}
    coverages = series(promised, (("nominal", "as promised", MEAN), ("coverage", "measured", OURS)))
    return (
        dots(
            "Coverage of the 90 % intervals", "Share of ratings within; above 0.9 too wide, below too narrow.",
            list(rows), coverages, within=COVERAGE_SHOWN,
        ),
        dots(
            "Width of the 90 % intervals", "Mean width in rating points; further left is narrower.",
            list(rows), series(rows, widths),
        ),
    )  # fmt: skip


def _ascending(bins: Rows) -> dict[str, Numbers]:
    """Bins by the number that their names begin with: a report that was read has them in order of text."""
    return dict(sorted(bins.items(), key=lambda bin_: float(bin_[0].split()[0])))
