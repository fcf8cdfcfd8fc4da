"""The checks of the gate: whether a version's scores and costs are within the limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from training.gate.gate_scores import most_by_chance, most_evidence
from training.gate.gate_settings import GateSettings

Scores = Mapping[str, Mapping[str, float]]
"""Scores by kind of evidence."""


@dataclass(frozen=True)
class Check:
    """Outcome of the check of one limit."""

    limit: str
    """Name of the setting with the limit; `schema` or `current` for a check without a number."""
    passed: bool
    """Whether the version is within the limit."""
    reason: str
    """Sentence on what was measured."""
    remedy: str = ""
    """What to do if the check fails; empty if it is only to change the setting."""

    def to_dict(self) -> dict[str, Any]:
        """Return the check in the form of the store's records."""
        return {"limit": self.limit, "passed": self.passed, "told": self.reason, "remedy": self.remedy}


def unreadable(error: Exception) -> Check:
    """Return the check that fails if the current version can't be read; `error` says why."""
    reason = f"the current version can't be read, so changes of the data would go unnoticed: {error}"
    return Check(
        "current", False, reason, "Let another version serve by models rollback or models promote, or use --force"
    )


def absolute(scores: Scores, settings: GateSettings) -> Iterator[Check]:
    """Check the limits that don't depend on the current version; `scores` are on kept-out raters or out of fold."""
    yield _beside_the_mean(scores[most_evidence(scores)], settings)
    for name, row in scores.items():
        yield from _of_one_kind(f"with {_words(name)} known", row, settings)


def _beside_the_mean(best: Mapping[str, float], settings: GateSettings) -> Check:
    mean, least = best["mean_rmse"], settings.least_gain_over_mean_percent
    # Out of fold, the trees seem to gain even on shuffled ratings: a movie's statistics exclude only the predicted
    # fold, and therefore correlate with it. The prior has no such leak, so both must be better than the mean.
    error = max(best["rmse"], best.get("prior_rmse", best["rmse"]))
    gain = 100 * (1 - error / mean) if mean else least
    reason = f"the RMSE, {error:.4f}, is {_percent(gain, 'below')} that of the mean of all ratings"
    passed = gain >= least
    if not passed:
        reason += f": less than {least:g} %, so the ratings say almost nothing about taste"
    return Check("least_gain_over_mean_percent", passed, reason)


def _of_one_kind(known: str, row: Mapping[str, float], settings: GateSettings) -> Iterator[Check]:
    """Check the limits of scores with one kind of evidence; `known` names it in the reasons."""
    above, most_above = -row["gain_percent"], settings.most_above_movie_mean_percent
    yield Check(
        "most_above_movie_mean_percent", above <= most_above or row["gain_percent_high"] >= 0,
        f"{known}, the RMSE, {row['rmse']:.4f}, is {_percent(above, 'above')} that of the movie mean",
    )  # fmt: skip
    coverage, width, constant_width = row["coverage"], row["mean_width"], row["movie_mean_width"]
    yield Check(
        "least_coverage", coverage >= settings.least_coverage,
        f"{known}, {coverage:.1%} of ratings lie within their 90 % interval",
    )  # fmt: skip
    yield Check(
        "most_coverage", coverage <= settings.most_coverage or width <= constant_width,
        f"{known}, {coverage:.1%} of ratings lie within intervals that are {width:.2f} wide; "
        f"those of the movie mean are {constant_width:.2f} wide",
    )  # fmt: skip
    chance = row.get("calibration_error_by_chance", most_by_chance(row["targets"]))
    error = row["enjoyed_calibration_error"]
    yield Check(
        "most_calibration_error", error <= settings.most_calibration_error + 2 * chance,
        f"{known}, the calibration error is {error:.3f}, of which about {chance:.3f} is expected by chance",
    )  # fmt: skip
    if "fallbacks" in row:
        yield Check(
            "most_fallbacks", row["fallbacks"] <= settings.most_fallbacks,
            f"{known}, {row['fallbacks']:.1%} of predictions used less evidence or were of unrated movies",
        )  # fmt: skip


def compared(current: Scores, differences: Scores, settings: GateSettings) -> Iterator[Check]:
    """Check the margin over the current version, on the same ratings of the same kept-out raters.

    A difference above the margin fails. A smaller difference fails if its 95 % interval is above 0 and extends beyond
    the margin.
    """
    for name, row in differences.items():
        base = current[name]["rmse"]
        margin = base * settings.margin_percent / 100
        surely = row["low"] > 0 and row["high"] > margin
        yield Check(
            "margin_percent", row["difference"] <= margin and not surely,
            f"with {_words(name)} known, the RMSE is {_difference(row['difference'], base)} that of the current "
            f"version, {base:.4f} (95 % interval of the difference {row['low']:+.4f} to {row['high']:+.4f}; "
            f"margin {margin:.4f})",
        )  # fmt: skip


def gain_kept(candidate: Scores, current: Scores, settings: GateSettings) -> Iterator[Check]:
    """Check whether the gain over the movie mean is kept, by the out-of-fold scores of both versions.

    Yields nothing if the gain of the current version may be due to chance.
    """
    name = next((name for name in reversed(list(candidate)) if name in current), None)
    if name is None or current[name]["gain_percent_low"] <= 0:
        return
    scores, before = candidate[name], current[name]["gain_percent"]
    passed = scores["gain_percent_high"] >= settings.least_gain_kept * before
    interval = f"{scores['gain_percent_low']:.1f} to {scores['gain_percent_high']:.1f}"
    reason = (
        f"the gain over the movie mean on raters held out in training is {scores['gain_percent']:.1f} % ({interval}); "
        f"that of the current version was {before:.1f} %"
    )
    if not passed:
        reason += ": the ratings say less about taste than before, as if they had been mixed up"
    yield Check("least_gain_kept", passed, reason)


def cost(costs: Mapping[str, float], settings: GateSettings) -> Iterator[Check]:
    """Check whether a version is fast and small enough; ratios to the current version are checked if present."""
    latency, size = costs["milliseconds"], costs["megabytes"]
    yield Check("most_milliseconds", latency <= settings.most_milliseconds, f"a request takes {latency:.2f} ms")
    yield Check("most_megabytes", size <= settings.most_megabytes, f"its files take {size:,.1f} MB")
    if "latency_ratio" in costs:
        ratio = costs["latency_ratio"]
        reason = f"a request takes {ratio:.2f} times as long as with the current version"
        yield Check("most_latency_ratio", ratio <= settings.most_latency_ratio, reason)
    if "size_ratio" in costs:
        ratio = costs["size_ratio"]
        reason = f"its files are {ratio:.2f} times as large as those of the current version"
        yield Check("most_size_ratio", ratio <= settings.most_size_ratio, reason)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(value: float, side: str) -> str:
    """Format a percentage with its side, such as `3.2 % below`; a negative value gets the other side."""
    other = {"below": "above", "above": "below"}[side]
    return f"{abs(value):.1f} % {side if value >= 0 else other}"


def _difference(difference: float, base: float) -> str:
    share = f" ({abs(100 * difference / base):.1f} %)" if base else ""
    if abs(difference) < 5e-5:
        return "the same as"
    return f"{abs(difference):.4f}{share} {'above' if difference > 0 else 'below'}"
