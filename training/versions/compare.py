"""What changed from one published version to another: data, settings, scores, importance and predictions."""

import json
from collections.abc import Mapping
from typing import Any

from features.schema import Schema
from model.files.manifest import Manifest
from model.prediction.model import Model
from model.store.store import Store
from training.versions.compare_predictions import compare

SCORES = ("rmse", "gain_percent", "mae", "rank_correlation", "coverage", "mean_width", "enjoyed_calibration_error")
"""Scores that are told for people; programs are told all."""
NEGLIGIBLE = 0.0005
"""Smaller changes of a share of the gain aren't told to people."""
MOST = 10


def diff(store: Store, first: Model, second: Model) -> dict[str, Any]:
    """All that changed, as JSON can hold it; changes are those from the first to the second."""
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


def text(found: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"from version {found['first']} to version {found['second']}", "", "Data, settings and libraries"]
    lines += [f"  {name}: {_told(one)}" for name, one in found["data"].items()] or ["  the same"]
    lines += ["", "Columns", *([f"  {name}: {_told(one)}" for name, one in found["schema"].items()] or ["  the same"])]
    lines += ["", "Scores on held-out raters (each version's own)"]
    for kind, scores in found["scores"].items():
        lines.append(f"  {kind.replace('_', ' ')} known")
        lines += [f"    {name.replace('_', ' ')}: {_moved(scores[name])}" for name in SCORES if name in scores]
    moved = sorted(found["importance"].items(), key=lambda one: (-abs(one[1]["change"]), one[0]))
    told = [f"  {name}: {_moved(one)}" for name, one in moved[:MOST] if abs(one["change"]) >= NEGLIGIBLE]
    lines += ["", "Importance in the trees, share of the gain", *(told or ["  the same"])]
    return "\n".join([*lines, "", *_predictions(found["predictions"])])


def _predictions(found: Mapping[str, Any]) -> list[str]:
    if not found["members"]:
        return ["Predictions", "  no movie is in both catalogues"]
    spread, quantiles = found["difference"], found["difference"]["quantiles"]
    agreement = f"{found['rank_correlation']:.4f}, of its best ten {found['best_ten_in_common']:.1%} in common"
    lines = [
        f"Predictions of {found['movies']:,} movies for {found['members']:,} members, second less first",
        f"  mean {spread['mean']:+.4f}, standard deviation {spread['deviation']:.4f}, largest {spread['largest']:.4f}",
        "  quantiles: " + ", ".join(f"{name} % {value:+.3f}" for name, value in quantiles.items()),
        "  share that moved: "
        + ", ".join(f"by {size} or more {share:.1%}" for size, share in found["share_moved"].items()),
        f"  rank correlation within a member {agreement}",
    ]
    for title, rows in (("up", found["movies_up"]), ("down", found["movies_down"])):
        lines.append(f"  movies that moved {title} most")
        lines += [f"    {one['movie_id']}: {one['mean']:+.3f}" for one in rows] or ["    none"]
    return lines


def _about(manifest: Manifest) -> dict[str, Any]:
    """What a manifest tells, flat, without what is compared elsewhere."""
    flat: dict[str, Any] = {}
    for name, value in manifest.to_dict().items():
        if name == "files":
            flat["megabytes"] = round(sum(one["size"] for one in value.values()) / 1e6, 3)
        elif name != "scores":
            flat |= {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _columns(schema: Schema) -> dict[str, Any]:
    """What a schema tells, flat: the scale, and each attribute in words."""
    flat: dict[str, Any] = {
        "rating scale": f"{schema.scale.low:g} to {schema.scale.high:g}, enjoyed from {schema.scale.enjoyed_from:g}",
        "genres": len(schema.genres),
    }
    for kind, attributes in (("members", schema.member_attributes), ("movies", schema.movie_attributes)):
        for one in attributes:
            width = f"{len(one.categories)} categories" if one.kind == "categorical" else f"{len(one.knots)} knots"
            flat[f"{kind}.{one.name}"] = f"{one.kind}, {width}"
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


def _told(change: Mapping[str, Any]) -> str:
    first, second = ("none" if value is None else _short(value) for value in (change["first"], change["second"]))
    return f"{first} -> {second}"


def _short(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        told = str(value)
        return told if len(told) <= 60 else told[:12] + "…"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def _moved(one: Mapping[str, float]) -> str:
    return f"{one['first']:.4f} -> {one['second']:.4f} ({one['change']:+.4f})"


def _report(store: Store, version: str) -> dict[str, Any]:
    """A version's report; empty where it can't be read."""
    try:
        report = json.loads((store.fetch(version) / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}
