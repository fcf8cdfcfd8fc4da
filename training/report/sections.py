"""The parts of the report's page that show one evaluation: charts, with their numbers beside them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model.prediction.calibration import COVERAGE
from training.report.charts import Series, bars, dots, lines, steps
from training.report.html import bullets, folded, section
from training.report.interval_sections import by_what_is_known, never_raters, reweighted
from training.report.markdown import MODELS, QUALITY, RANKING, SLICES, UNRATED
from training.report.parts import (
    ABLATION,
    BASE,
    COVERAGE_SHOWN,
    ERRORS,
    MEAN,
    OURS,
    PRIOR,
    Numbers,
    Rows,
    by_evidence,
    numbers,
    series,
)
from training.report.time_sections import by_time

MOST_FEATURES = 15
"""Features beyond the strongest so many are told as one."""


def sections(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """All parts that the evaluation has numbers for, in the order of the page."""
    evidence = by_evidence(evaluation["evidence"])
    yield _errors(evidence)
    yield _gain(evidence)
    for name, known in (("learning_curve", "attributes and plays"), ("learning_curve_plays_only", "plays only")):
        if evaluation.get(name):
            yield _learning_curve(evaluation[name], known)
    yield from _intervals(evidence)
    if evaluation.get("calibration_curves"):
        yield _calibration(by_evidence(evaluation["calibration_curves"]))
    if evaluation.get("predictions"):
        yield _distribution(evaluation["predictions"], evaluation["scale"])
    if evaluation.get("importance"):
        yield from _importance(evaluation["importance"])
    if evaluation["popularity"]:
        popularity = {f"{point['ratings_from']:,.0f} or more": point for point in evaluation["popularity"]}
        yield _comparison(
            "Error by popularity of the movie", "By how many ratings a movie has, with the most evidence.", popularity
        )
    for name, groups in evaluation["groups"].items():
        if groups:
            text = "Root mean squared error with the most evidence. Groups of fewer than 20 members are not told."
            yield _comparison(f"Error by {name}", text, groups)
    if evaluation["unrated_movies"]:
        yield _unrated(by_evidence(evaluation["unrated_movies"]))
    if evaluation.get("uncertainty"):
        yield from by_what_is_known(evaluation["uncertainty"])
    if evaluation["never_raters"]:
        yield never_raters(evaluation["never_raters"])
    if evaluation.get("reweighted"):
        yield reweighted(evaluation["reweighted"])
    if evaluation.get("by_time"):
        yield by_time(evaluation["by_time"])
    yield _all_scores(evidence)


def _errors(evidence: Rows) -> str:
    chart = dots(
        "Error by evidence",
        "Root mean squared error of each model for each kind of evidence; further left is better.",
        list(evidence),
        series(evidence, ABLATION),
    )
    text = (
        "Root mean squared error in rating points, by what is known of the member; further left is better. What each "
        "part adds: trees without the prior, the prior without trees, and both."
    )
    return section("Error by evidence", text, chart, folded(numbers("evidence", evidence, MODELS)))


def _gain(evidence: Rows) -> str:
    gain = Series(
        "gain over the movie mean, %",
        OURS,
        [row["gain_percent"] for row in evidence.values()],
        [row["gain_percent_low"] for row in evidence.values()],
        [row["gain_percent_high"] for row in evidence.values()],
    )
    chart = dots(
        "Gain over the movie mean",
        "Gain in percent with its 95 % interval over members; further right is better.",
        list(evidence),
        [gain],
        digits=1,
    )
    text = "How much lower the error is than that of the movie's mean, in percent, with the 95 % interval over members."
    columns = (("gain_percent", "gain %"), ("gain_percent_low", "from"), ("gain_percent_high", "to"))
    return section("Gain over the movie mean", text, chart, folded(numbers("evidence", evidence, columns)))


def _learning_curve(points: Sequence[Mapping[str, Any]], known: str) -> str:
    rows = {point["plays"]: {key: value for key, value in point.items() if key != "plays"} for point in points}
    places = [float(place) for place in range(len(points))]
    chart = lines(
        "Learning curve",
        "Error of coldstart and of the movie mean on the same ratings, by number of plays known.",
        places, series(rows, ERRORS), ("plays known", "RMSE"), dict(zip(places, rows, strict=True)),
    )  # fmt: skip
    text = (
        f"Error on the same ratings of the same {points[0]['members']:,.0f} members with more and more of their plays "
        f"known ({known}); all are {points[-1]['plays_from']:.0f} in the mean."
    )
    return section(f"Learning curve, {known}", text, chart, folded(numbers("plays", rows, SLICES)))


def _intervals(evidence: Rows) -> Iterator[str]:
    coverage = {name: {**row, "nominal": COVERAGE} for name, row in evidence.items()}
    chart = dots(
        "Coverage of the 90 % intervals",
        "Share of ratings within their interval for each kind of evidence; 0.9 is right.",
        list(coverage),
        series(coverage, (("nominal", "as promised", MEAN), ("coverage", "measured", OURS))),
        within=COVERAGE_SHOWN,
    )
    columns = (("coverage", "coverage"), ("mean_width", "mean width"))
    text = "Share of ratings within their 90 % interval: above is too wide, below too narrow."
    yield section("Coverage of intervals", text, chart, folded(numbers("evidence", evidence, columns)))
    chart = dots(
        "Width of the 90 % intervals",
        "Mean width in rating points for each kind of evidence; further left says more.",
        list(evidence),
        series(evidence, (("mean_width", "mean width", OURS),)),
    )
    yield section("Width of intervals", "In rating points, from rating to rating; narrower says more.", chart)


def _calibration(curves: Mapping[str, Sequence[Numbers]]) -> str:
    name = list(curves)[-1]
    points = curves[name]
    chart = lines(
        "Calibration of the probability to enjoy",
        "Observed share of enjoyed movies against the predicted probability, with everything known; on the dashed "
        "line they agree.",
        [point["predicted"] for point in points],
        [Series(name, OURS, [point["observed"] for point in points])],
        ("predicted probability", "share enjoyed"),
        diagonal=True,
    )
    rows = {f"{name}, {place + 1}": point for name, found in curves.items() for place, point in enumerate(found)}
    columns = (("targets", "targets"), ("predicted", "predicted"), ("observed", "observed"))
    text = "Of movies with this predicted probability, the share that was enjoyed. On the dashed line both agree."
    return section("Calibration", text, chart, folded(numbers("evidence, bin", rows, columns)))


def _distribution(shares: Mapping[str, Sequence[float]], scale: Numbers) -> str:
    shares = by_evidence(shares)  # the ratings first, then the least evidence
    name = list(shares)[-1]
    edges = scale["low"], max(scale["high"], scale["low"] + 1e-9)
    chart = steps(
        "Distribution of predictions",
        "Share of predictions and of true ratings in equal bins over the rating scale.",
        edges,
        [Series("ratings given", BASE, shares["ratings"]), Series("predicted, with all known", OURS, shares[name])],
        "rating",
    )
    text = "Predictions are means, so they spread less than the ratings that members give."
    bins = len(shares["ratings"])
    width = (edges[1] - edges[0]) / bins
    rows = {
        f"from {edges[0] + place * width:.2f}": {kind: values[place] for kind, values in shares.items()}
        for place in range(bins)
    }
    columns = [(kind, kind) for kind in shares]
    return section("Distribution of predictions", text, chart, folded(numbers("bin", rows, columns)))


def _importance(shares: Numbers) -> Iterator[str]:
    order = sorted(shares.items(), key=lambda one: (-one[1], one[0]))
    groups: dict[str, float] = {}
    for name, share in order:
        groups[name.split(":", 1)[0]] = groups.get(name.split(":", 1)[0], 0.0) + share
    shown = dict(order[:MOST_FEATURES])
    if len(order) > MOST_FEATURES:
        shown[f"{len(order) - MOST_FEATURES} others"] = sum(share for _, share in order[MOST_FEATURES:])
    charts = bars(
        "Importance by group", "Share of the trees' gain for each group of features.",
        dict(sorted(groups.items(), key=lambda one: -one[1])), PRIOR,
    ) + bars("Importance by feature", "Share of the trees' gain for the strongest features.", shown)  # fmt: skip
    rows = {name: {"share": share} for name, share in order}
    text = "What the trees correct the prior by: each feature's share of what splits on it gained in training."
    yield section("Importance in the trees", text, charts, folded(numbers("feature", rows, (("share", "share"),))))


def _comparison(title: str, text: str, rows: Rows) -> str:
    chart = dots(title, "Root mean squared error of coldstart and of the movie mean; further left is better.",
                 list(rows), series(rows, ERRORS))  # fmt: skip
    columns = (("members", "members"), ("targets", "targets"), ("movie_mean_rmse", "movie mean"), ("rmse", "coldstart"))
    return section(title, text, chart, folded(numbers("group", rows, columns)))


def _unrated(rows: Rows) -> str:
    rows = {name.replace("attributes and plays", "both").replace(", movie ", ": "): row for name, row in rows.items()}
    shown = (("mean_rmse", "mean of all", MEAN), ("rmse", "coldstart", OURS))
    chart = dots("Error for unrated movies", "Root mean squared error where the movie is only described, or unknown.",
                 list(rows), series(rows, shown))  # fmt: skip
    columns = (("targets", "targets"), ("mean_rmse", "mean of all"), ("rmse", "coldstart"))
    return section("Movies as if nobody had rated them", UNRATED, chart, folded(numbers("evidence", rows, columns)))


def _all_scores(evidence: Rows) -> str:
    titles = dict([("targets", "targets"), *MODELS, *RANKING, *QUALITY])
    ours = ""
    for key, title in titles.items():  # the movie mean's own score stands behind ours of the same kind
        if title == "movie mean's":
            titles[key] = f"movie mean: {ours}"
        else:
            ours = title
    columns = [(key, title) for key, title in titles.items() if any(key in row for row in evidence.values())]
    extra = sorted({key for row in evidence.values() for key in row} - set(titles))
    rows = {title: {name: row[key] for name, row in evidence.items() if key in row} for key, title in columns}
    rows |= {key.replace("_", " "): {name: row[key] for name, row in evidence.items() if key in row} for key in extra}
    shown = numbers("score", rows, [(name, name) for name in evidence])
    return section(
        "All scores", "By what is known of the member; report.json holds the same for programs.", shown, wide=True
    )


def notes(lines_: Sequence[str]) -> str:
    """What else there is to say of the data."""
    return section("Notes", "What the job did with columns and values.", bullets(lines_), wide=True)
