"""Compares two versions (published models): data, settings, columns, scores, importance of inputs, predictions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from features.schema import Schema
from model.files.manifest import Manifest
from model.prediction.model import Model
from model.store.store import Store
from training.report.section import EVIDENCE, words
from training.versions.compare_predictions import compare

SCORES = ("rmse", "gain_percent", "mae", "rank_correlation", "coverage", "mean_width", "enjoyed_calibration_error")
"""Scores that the printed comparison shows. `diff` compares all scores."""
NEGLIGIBLE = 0.0005
"""Minimum change of a feature's importance (its share of the gain, 0 to 1) that `text` shows."""
MOST_FEATURES = 10
"""Maximum number of features that `text` shows, sorted by how much their importance changed."""
LONGEST = 60
"""Maximum length of a value. `text` truncates longer values."""


def diff(store: Store, first: Model, second: Model) -> dict[str, Any]:
    """Return the differences between two versions (published models), which can be written as JSON.

    Each change is second minus first.
    """
    reports = [_report(store, model.version) for model in (first, second)]
    shares = [dict(report.get("importance", {})) for report in reports]
    evidence = first.manifest.scores, second.manifest.scores
    return {
        "first": first.version,
        "second": second.version,
        "data": _changes(_about(first.manifest), _about(second.manifest)),
        "schema": _changes(_columns(first.schema), _columns(second.schema)),
        "scores": {
            kind: {name: _pair(evidence[0][kind][name], evidence[1][kind][name]) for name in evidence[1][kind]
                   if name in evidence[0][kind]}
            for kind in evidence[1] if kind in evidence[0]
        },
        "importance": {
            name: _pair(shares[0].get(name, 0.0), shares[1].get(name, 0.0)) for name in sorted({*shares[0], *shares[1]})
        },
        "predictions": compare(first, second),
    }  # fmt: skip


def diff_of_many(store: Store, models: Sequence[Model]) -> dict[str, Any]:
    """Return the scores of several versions side by side, and what differs from the first to each of the others."""
    return {
        "versions": [model.version for model in models],
        "scores": {model.version: model.manifest.scores for model in models},
        "differences": [diff(store, models[0], model) for model in models[1:]],
    }


def text_of_many(differences: Mapping[str, Any]) -> str:
    """Return the differences between several versions, as found by `diff_of_many`, as text to print."""
    versions, scores = differences["versions"], differences["scores"]
    lines = ["Scores on held-out raters (each version's own)", f"  {'':38}" + "".join(f"{v:>14}" for v in versions)]
    for kind in sorted(scores[versions[0]], key=EVIDENCE.index):
        for name in SCORES:
            cells = [scores[version].get(kind, {}).get(name) for version in versions]
            numbers = "".join(f"{'' if value is None else f'{value:.4f}':>14}" for value in cells)
            lines.append(f"  {f'{words(kind)}, {words(name)}':38}{numbers}")
    return "\n\n".join(["\n".join(lines), *map(text, differences["differences"])])


def text(differences: Mapping[str, Any]) -> str:
    """Return the differences between two versions, as found by `diff`, as text to print."""
    sections = [
        [f"from version {differences['first']} to version {differences['second']}"],
        ["Data, settings and libraries", *_changed_lines(differences["data"])],
        ["Columns", *_changed_lines(differences["schema"])],
        ["Scores on held-out raters (each version's own)", *_score_lines(differences["scores"])],
        ["Importance in the trees, share of the gain", *_importance_lines(differences["importance"])],
        _prediction_lines(differences["predictions"]),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections)


def _changed_lines(changes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"  {name}: {_shown(values['first'])} -> {_shown(values['second'])}" for name, values in changes.items()
    ] or ["  the same"]


def _score_lines(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    lines = []
    for kind in sorted(scores, key=EVIDENCE.index):
        pairs = scores[kind]
        lines.append(f"  {kind.replace('_', ' ')} known")
        lines += [f"    {name.replace('_', ' ')}: {_moved(pairs[name])}" for name in SCORES if name in pairs]
    return lines


def _importance_lines(importance: Mapping[str, Mapping[str, float]]) -> list[str]:
    most = sorted(importance, key=lambda name: (-abs(importance[name]["change"]), name))[:MOST_FEATURES]
    return [
        f"  {name}: {_moved(importance[name])}" for name in most if abs(importance[name]["change"]) >= NEGLIGIBLE
    ] or ["  the same"]


def _prediction_lines(predictions: Mapping[str, Any]) -> list[str]:
    if not predictions["members"]:
        return ["Predictions", "  no movie is in both catalogues"]
    spread, quantiles = predictions["difference"], predictions["difference"]["quantiles"]
    agreement = (
        f"{predictions['rank_correlation']:.4f}, of its best ten {predictions['best_ten_in_common']:.1%} in common"
    )
    lines = [
        f"Predictions of {predictions['movies']:,} movies for {predictions['members']:,} members, second less first",
        f"  mean {spread['mean']:+.4f}, standard deviation {spread['deviation']:.4f}, largest {spread['largest']:.4f}",
        "  quantiles: " + ", ".join(f"{name} % {value:+.3f}" for name, value in quantiles.items()),
        "  share that moved: "
        + ", ".join(f"by {size} or more {share:.1%}" for size, share in predictions["share_moved"].items()),
        f"  rank correlation within a member {agreement}",
    ]
    for direction in ("up", "down"):
        movies = predictions[f"movies_{direction}"]
        lines.append(f"  movies that moved {direction} most")
        lines += [f"    {_named(movie)}: {movie['mean']:+.3f}" for movie in movies] or ["    none"]
    return lines


def _named(movie: Mapping[str, Any]) -> str:
    """Return a movie's title with its id, or its id alone if it has no title."""
    return f"{movie['title']} [{movie['movie_id']}]" if movie["title"] else str(movie["movie_id"])


def _about(manifest: Manifest) -> dict[str, Any]:
    """Return what a version's manifest says as a flat dictionary, with the total size of the files.

    Scores are left out.
    """
    flat: dict[str, Any] = {}
    for name, value in manifest.to_dict().items():
        if name == "files":
            flat["megabytes"] = round(sum(file["size"] for file in value.values()) / 1e6, 3)
        elif name != "scores":
            flat |= {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _columns(schema: Schema) -> dict[str, Any]:
    """Return a description of the rating scale, the genres and each attribute of a version, by name."""
    flat: dict[str, Any] = {
        "rating scale": f"{schema.scale.low:g} to {schema.scale.high:g}, enjoyed from {schema.scale.enjoyed_from:g}",
        "genres": len(schema.genres),
    }
    for table, attributes in (("members", schema.member_attributes), ("movies", schema.movie_attributes)):
        for column in attributes:
            categorical = column.kind == "categorical"
            width = f"{len(column.categories)} categories" if categorical else f"{len(column.knots)} knots"
            flat[f"{table}.{column.name}"] = f"{column.kind}, {width}"
    return flat


def _changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    names = [*first, *(name for name in second if name not in first)]
    return {
        name: {"first": first.get(name), "second": second.get(name)}
        for name in names
        if first.get(name) != second.get(name)
    }


def _pair(first: float, second: float) -> dict[str, float]:
    return {"first": first, "second": second, "change": second - first}


def _shown(value: Any) -> str:
    """Format a value for the printed comparison, truncated if it is long.

    A value that a version lacks (None) is formatted as `none`.
    """
    if value is None:
        return "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value) if len(str(value)) <= LONGEST else str(value)[:12] + "…"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def _moved(pair: Mapping[str, float]) -> str:
    return f"{pair['first']:.4f} -> {pair['second']:.4f} ({pair['change']:+.4f})"


def _report(store: Store, version: str) -> dict[str, Any]:
    """Return the evaluation in a version's report.json, or an empty dictionary if it can't be read."""
    try:
        report = json.loads((store.fetch(version) / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}
