"""The limits of the gate, one check each: whether a version holds it, told in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from training.gate.gate_scores import most_by_chance, most_evidence
from training.gate.gate_settings import GateSettings

Scores = Mapping[str, Mapping[str, float]]
"""Scores by kind of evidence."""


@dataclass(frozen=True)
class Check:
    """One limit."""

    limit: str
    """The setting that it comes from."""
    passed: bool
    """Whether the version holds it."""
    told: str
    """What was found, in words."""


def absolute(scores: Scores, settings: GateSettings) -> Iterator[Check]:
    """What is asked of any version, whatever served before; `scores` are of kept-out raters, or out of fold."""
    best = scores[most_evidence(scores)]
    mean, least = best["mean_rmse"], settings.least_gain_over_mean_percent
    # Out of fold the trees seem to gain on ratings in disorder too: a movie's numbers lack just the fold that is
    # judged, and so tell of it. The prior alone has no such way, so that both must be better than the mean.
    error = max(best["rmse"], best.get("prior_rmse", best["rmse"]))
    gain = 100 * (1 - error / mean) if mean else least
    told = f"the RMSE, {error:.4f}, is {_percent(gain, 'below')} that of the mean of all ratings"
    passed = gain >= least
    yield Check(
        "least_gain_over_mean_percent", passed,
        told if passed else f"{told}: less than {least:g} %, so that the ratings tell next to nothing of taste",
    )  # fmt: skip
    for name, row in scores.items():
        known, above = _words(name), -row["gain_percent"]
        most = settings.most_above_movie_mean_percent
        yield Check(
            "most_above_movie_mean_percent", above <= most or row["gain_percent_high"] >= 0,
            f"with {known} known, the RMSE, {row['rmse']:.4f}, is {_percent(above, 'above')} that of the movie mean",
        )  # fmt: skip
        yield Check(
            "least_coverage", row["coverage"] >= settings.least_coverage,
            f"with {known} known, {row['coverage']:.1%} of ratings lie within their 90 % interval",
        )  # fmt: skip
        width, fixed = row["mean_width"], row["movie_mean_width"]
        yield Check(
            "most_coverage", row["coverage"] <= settings.most_coverage or width <= fixed,
            f"with {known} known, {row['coverage']:.1%} of ratings lie within intervals that are {width:.2f} wide; "
            f"the movie mean's are {fixed:.2f}",
        )  # fmt: skip
        chance = row.get("calibration_error_by_chance", most_by_chance(row["targets"]))
        error = row["enjoyed_calibration_error"]
        yield Check(
            "most_calibration_error", error <= settings.most_calibration_error + 2 * chance,
            f"with {known} known, the calibration error is {error:.3f}, of which chance gives about {chance:.3f}",
        )  # fmt: skip
        if "fallbacks" in row:
            yield Check(
                "most_fallbacks", row["fallbacks"] <= settings.most_fallbacks,
                f"with {known} known, {row['fallbacks']:.1%} of predictions had to do with less",
            )  # fmt: skip


def compared(current: Scores, differences: Scores, settings: GateSettings) -> Iterator[Check]:
    """What is asked beside the version that serves, on the same ratings of the same kept-out raters.

    A difference beyond the margin is too much; so is one that is surely there and may well be beyond it.
    """
    for name, found in differences.items():
        base = current[name]["rmse"]
        margin = base * settings.margin_percent / 100
        surely = found["low"] > 0 and found["high"] > margin
        yield Check(
            "margin_percent", found["difference"] <= margin and not surely,
            f"with {_words(name)} known, the RMSE is {_difference(found['difference'], base)} that of the version that "
            f"serves, {base:.4f} (95 % interval of the difference {found['low']:+.4f} to {found['high']:+.4f}; "
            f"margin {margin:.4f})",
        )  # fmt: skip


def gain_kept(candidate: Scores, current: Scores, settings: GateSettings) -> Iterator[Check]:
    """Whether the data still tell of taste what they told; both are the versions' own scores, out of fold."""
    name = next((name for name in reversed(list(candidate)) if name in current), None)
    if name is None or current[name]["gain_percent_low"] <= 0:
        return
    ours, theirs = candidate[name], current[name]["gain_percent"]
    passed = ours["gain_percent_high"] >= settings.least_gain_kept * theirs
    interval = f"{ours['gain_percent_low']:.1f} to {ours['gain_percent_high']:.1f}"
    told = (
        f"the gain over the movie mean on raters held out in training is {ours['gain_percent']:.1f} % ({interval}); "
        f"that of the version that serves was {theirs:.1f} %"
    )
    yield Check(
        "least_gain_kept", passed,
        told if passed else f"{told}: the ratings tell less of taste than they did, as where they are in disorder",
    )  # fmt: skip


def cost(found: Mapping[str, float], settings: GateSettings) -> Iterator[Check]:
    """Whether a version is fast and small enough."""
    took, size = found["milliseconds"], found["megabytes"]
    yield Check("most_milliseconds", took <= settings.most_milliseconds, f"a request takes {took:.2f} ms")
    yield Check("most_megabytes", size <= settings.most_megabytes, f"its files have {size:,.1f} MB")
    if "latency_ratio" in found:
        ratio = found["latency_ratio"]
        told = f"a request takes {ratio:.2f} times as long as with the version that serves"
        yield Check("most_latency_ratio", ratio <= settings.most_latency_ratio, told)
    if "size_ratio" in found:
        ratio = found["size_ratio"]
        told = f"its files are {ratio:.2f} times as large as those of the version that serves"
        yield Check("most_size_ratio", ratio <= settings.most_size_ratio, told)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(value: float, side: str) -> str:
    """3.2 % below, or above where it is negative."""
    other = {"below": "above", "above": "below"}[side]
    return f"{abs(value):.1f} % {side if value >= 0 else other}"


def _difference(difference: float, base: float) -> str:
    share = f" ({abs(100 * difference / base):.1f} %)" if base else ""
    if abs(difference) < 5e-5:
        return "the same as"
    return f"{abs(difference):.4f}{share} {'above' if difference > 0 else 'below'}"
