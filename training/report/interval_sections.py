"""The parts of the report's page that tell how intervals hold by what is known, and how never-raters differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from model.prediction.calibration import COVERAGE
from training.report.charts import Series, bars, dots
from training.report.html import folded, section
from training.report.parts import (
    BASE,
    COVERAGE_SHOWN,
    ERRORS,
    MEAN,
    OURS,
    PRIOR,
    Numbers,
    Rows,
    numbers,
    series,
    words,
)

INTERVALS = (("targets", "targets"), ("rmse", "RMSE"), ("coverage", "coverage"), ("mean_width", "mean width"))
WIDTHS = (("mean_width", "mean width of the 90 % interval", OURS),)


def by_what_is_known(found: Mapping[str, Any]) -> Iterator[str]:
    """Intervals by number of plays and by extrapolation, and of the same ratings with less known."""
    for name, bins in found["by_plays"].items():
        if bins:
            text = "By how many plays are known: the width falls where coverage stays."
            yield _intervals(
                f"Intervals by number of plays: {words(name)} known",
                text,
                {f"{at} plays": row for at, row in ascending(bins)},
            )
    for name, bins in found["by_extrapolation"].items():
        if bins:
            text = "Extrapolation is the share of raters who lie nearer to those that were learned from."
            yield _intervals(f"Intervals by extrapolation: {words(name)} known", text, dict(ascending(bins)))
    if found["same_ratings"]:
        rows = {words(name).replace("attributes and plays", "both"): row for name, row in found["same_ratings"].items()}
        chart = dots(
            "The same ratings with less known", "Mean width of the 90 % interval; further left says more.",
            list(rows), series(rows, (("all_mean_width", "with all plays", BASE), *WIDTHS)),
        )  # fmt: skip
        text = "First ratings that every kind of evidence predicts; then those predicted from few plays and from all."
        columns = (*INTERVALS, ("all_rmse", "RMSE, all plays"), ("all_mean_width", "width, all plays"))
        yield section("The same ratings with less known", text, chart, folded(numbers("known", rows, columns)))


def never_raters(found: Mapping[str, Any]) -> str:
    """How members who never rate differ from raters, and what tells them apart."""
    rows = {name: {"difference": value} for name, value in found["differences"].items()}
    chart = dots(
        "How members who never rate differ",
        "Difference of means in standard deviations; right of zero, never-raters have more of it.",
        list(rows),
        [Series("standard deviations beyond raters", OURS, list(found["differences"].values()))],
        digits=2,
        within=(0.0,),
    )
    drivers = found.get("drivers", {})
    if drivers:
        chart += bars(
            "What tells them apart", "Share of the gain of the classifier that tells them apart.", drivers, PRIOR
        )
    by_known = ", ".join(f"{name} {value:.3f}" for name, value in found.get("auc_by_known", {}).items())
    text = (
        f"A classifier tells {found['never_raters']:,.0f} never-raters from {found['raters']:,.0f} raters with an AUC "
        f"of {found['auc']:.3f} (0.5 where they are alike{'; by what is known: ' + by_known if by_known else ''}). "
        "Where they differ much, trust these figures less."
    )
    columns = (("difference", "difference"),)
    return section("Raters and never-raters", text, chart, folded(numbers("fact", rows, columns)))


def reweighted(found: Mapping[str, Any]) -> str:
    """Errors with raters counted as much as never-raters are like them."""
    rows = {words(name): row for name, row in found["evidence"].items()}
    chart = dots("Weighted as never-raters", "Root mean squared error, raters weighted; further left is better.",
                 list(rows), series(rows, ERRORS))  # fmt: skip
    text = (
        f"Each rater counts as much as {found['never_raters']:,.0f} members who never rate are like it. The "
        f"{found['raters']:,.0f} raters tell as much as {found['effective_raters']:,.0f} of equal weight."
    )
    columns = (
        ("targets", "targets"),
        ("movie_mean_rmse", "movie mean"),
        ("rmse", "coldstart"),
        ("coverage", "coverage"),
    )
    return section("Weighted as never-raters", text, chart, folded(numbers("evidence", rows, columns)))


def ascending(bins: Rows) -> list[tuple[str, Numbers]]:
    """Bins by the number that their names begin with: a report that was read has them in text order."""
    return sorted(bins.items(), key=lambda one: float(one[0].split()[0]))


def _intervals(title: str, text: str, rows: Rows) -> str:
    promised = {name: {**row, "nominal": COVERAGE} for name, row in rows.items()}
    charts = dots(
        f"Coverage. {title}", "Share of ratings within their 90 % interval; 0.9 is right.", list(rows),
        series(promised, (("nominal", "as promised", MEAN), ("coverage", "coverage", OURS))), within=COVERAGE_SHOWN,
    )  # fmt: skip
    told = "Mean width of the 90 % interval in rating points; further left says more."
    charts += dots(f"Width. {title}", told, list(rows), series(rows, WIDTHS))
    return section(title, text, charts, folded(numbers("known", rows, INTERVALS)))
