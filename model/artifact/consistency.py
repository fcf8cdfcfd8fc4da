"""Checks that the parts of a model fit each other and hold nothing but numbers that can be predicted with.

Every check raises ValueError with the name of the part.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from features.attributes import group_count
from features.pairs import COMPARED, MOVIE_NUMBERS, Movies
from features.plays import names
from features.schema import Attribute, Schema
from model.facts.catalogue import Catalogue
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import PLACES, PLAY_BINS, Calibration
from model.prediction.drift_reference import TOLD, Reference, kind_name
from model.prediction.movie_targets import Offsets
from model.prediction.prior.prior import Description, Prior

MAY_BE_UNKNOWN = ("release_year", "genres", "attributes", "numbers", "compared", "group_residuals")
"""Arrays of movies in which NaN stands for what isn't known."""


def check_schema(schema: Schema) -> None:
    """Names, kinds, categories and knots."""
    scale = schema.scale
    _check_finite(scale, "scale")
    if not scale.low <= scale.enjoyed_from <= scale.high:
        raise ValueError("scale isn't one")
    if schema.end_of_data is not None:
        _check_finite(float(schema.end_of_data), "end_of_data")
    _check_names(schema.genres, "genres")
    for attributes in (schema.member_attributes, schema.movie_attributes):
        _check_names([attribute.name for attribute in attributes], "attributes")
        for attribute in attributes:
            _check_attribute(attribute)


def check_catalogue(catalogue: Catalogue, schema: Schema) -> None:
    """Ids and shapes."""
    count = len(catalogue)
    _check_names(catalogue.movie_ids, "movie_ids")
    shapes = {"rated": (count,), "release_year": (count,), "genres": (count, len(schema.genres))}
    _check_shapes(catalogue, shapes | {"attributes": (count, len(schema.movie_attributes))})
    if catalogue.rated.dtype != np.bool_:
        raise ValueError("rated isn't of flags")
    for name in ("release_year", "genres", "attributes"):
        _check_finite(getattr(catalogue, name), name)


def check_prior(prior: Prior, schema: Schema, count: int) -> None:
    """The factorization and its regressions, for so many movies."""
    columns = prior.columns
    factors = len(prior.average_member)
    taste, places = columns.taste.shape[-1], columns.embedding.shape[-1]
    _check_shapes(
        columns,
        {"columns": (count, len(columns.names)), "embedding": (count, places), "squared_weight": (count,),
         "taste": (count, taste)},
    )  # fmt: skip
    _check_shapes(prior, {"movies": (count, factors), "movie_variance": (count,), "average_member": (factors,)})
    from_plays = len(names(columns.names)) + taste + places
    from_attributes = sum(attribute.width for attribute in schema.member_attributes)
    for evidence, head in prior.heads.items():
        inputs = from_plays * evidence.has_plays + from_attributes * evidence.has_attributes
        bumps = len(head.landmarks)
        _check_shapes(
            head,
            {"centre": (inputs,), "scale": (inputs,), "sight": (inputs,), "landmarks": (bumps, inputs),
             "intercept": (factors,), "linear": (inputs, factors), "bumps": (bumps, factors)},
        )  # fmt: skip
        if head.gamma < 0:
            raise ValueError("a head's bumps have a negative width")
    if not {kind for kind in prior.heads if kind.has_plays} <= set(prior.followed):
        raise ValueError("a kind of evidence isn't told how far it is followed")
    for share in prior.followed.values():
        if share.shape != (len(PLAY_BINS),) or not ((share >= 0) & (share <= 1)).all():
            raise ValueError("followed isn't of shares, one for each number of plays")
    if not set(prior.heads) | {MemberEvidence.NOTHING} <= set(prior.spread):
        raise ValueError("a kind of evidence has no spread")
    if any(spread.shape != (factors, factors) for spread in prior.spread.values()):
        raise ValueError("spread has another shape than the factors")
    if prior.noise < 0 or prior.movie_variance.min(initial=0) < 0 or min(prior.unrated_variance.values()) < 0:
        raise ValueError("a variance is negative")
    check_description(prior.description, schema, factors)
    _check_finite(prior, "prior")


def check_offsets(offsets: Mapping[MemberEvidence, Offsets], prior: Prior, schema: Schema, count: int) -> None:
    """What movies' ratings lie above the prior, for every kind of evidence that there is."""
    if not set(prior.heads) | {MemberEvidence.NOTHING} <= set(offsets):
        raise ValueError("a kind of evidence has no offsets")
    for evidence, one in offsets.items():
        bins = len(PLAY_BINS) if evidence.has_plays else 1
        _check_shapes(one, {"movies": (bins, count)})
        check_description(one.description, schema, bins)
    _check_finite(offsets, "offsets")


def check_description(description: Description, schema: Schema, outputs: int) -> None:
    """A regression from what is known of a movie to so many outputs."""
    _check_attribute(description.year)
    attributes = (description.year, *schema.movie_attributes)
    inputs = len(schema.genres) + sum(attribute.width for attribute in attributes)
    _check_shapes(description, {"centre": (inputs,), "intercept": (outputs,), "weights": (inputs, outputs)})


def check_pairs(movies: Movies, grouped: Sequence[int], prior: Prior, schema: Schema, count: int) -> None:
    """What the trees see of movies."""
    attributes = schema.member_attributes
    if len(set(grouped)) != len(grouped) or not all(0 <= place < len(attributes) for place in grouped):
        raise ValueError("grouped names attributes that the schema lacks")
    groups = sum(group_count(attributes[place]) for place in grouped)
    _check_shapes(
        movies,
        {"numbers": (count, len(MOVIE_NUMBERS)), "compared": (count, len(COMPARED)),
         "genres": (count, len(schema.genres)), "attributes": (count, len(schema.movie_attributes)),
         "direction": (count, prior.columns.embedding.shape[1]), "group_residuals": (count, groups)},
    )  # fmt: skip
    _check_finite(movies, "pairs")


def check_weights(weights: Mapping[MemberEvidence, float]) -> None:
    """How far the trees are followed."""
    if not all(0 <= weight <= 1 for weight in weights.values()):
        raise ValueError("tree_weights aren't shares")


def check_calibration(calibration: Calibration, prior: Prior, schema: Schema) -> None:
    """Intervals and probabilities, for every kind of evidence that there is."""
    if not set(prior.heads) | {MemberEvidence.NOTHING} <= set(calibration.tables):
        raise ValueError("a kind of evidence has no calibration")
    scale = schema.scale
    _check_finite(calibration, "calibration")
    for tables in calibration.tables.values():
        bins, classes, movies, levels, places = tables.lower.shape
        if (movies, places) != (len(MovieEvidence), PLACES) or not bins * classes * levels:
            raise ValueError("the calibration has another shape than the rest of the model")
        cells = (bins, movies, levels, places)
        shapes = {
            "upper": tables.lower.shape,
            "enjoyed": cells,
            "edges": (bins, movies, levels - 1),
            "reach": (bins, movies),
        }
        _check_shapes(tables, shapes | {"distances": (tables.distances.size,)})
        if (np.diff(tables.edges) < 0).any() or (np.diff(tables.distances) < 0).any():
            raise ValueError("levels or distances of the calibration don't ascend")
        if not ((scale.low <= tables.lower) & (tables.lower <= tables.upper) & (tables.upper <= scale.high)).all():
            raise ValueError("an interval of the calibration isn't within the scale")
        if tables.reach.min() < 0:
            raise ValueError("a reach of the calibration is negative")
        if tables.enjoyed.min() < 0 or tables.enjoyed.max() > 1:
            raise ValueError("a probability of the calibration isn't one")


def check_reference(reference: Reference, schema: Schema) -> None:
    """Bins and shares of what is watched."""
    places = [one.position for one in reference.attributes]
    if len(set(places)) != len(places) or not all(place in range(len(schema.member_attributes)) for place in places):
        raise ValueError("the reference names attributes that the schema lacks")
    if set(reference.predictions) != set(TOLD):
        raise ValueError("the reference isn't of what is predicted")
    for one in reference.attributes:
        _check_bins(one.edges, one.shares, 2)
    _check_bins(reference.plays.edges, reference.plays.shares, 1)
    for told in reference.predictions.values():
        if not set(told.shares) <= {kind_name(kind) for kind in MemberEvidence}:
            raise ValueError("the reference names kinds of evidence that there aren't")
        for shares in told.shares.values():
            _check_bins(told.edges, shares, 1)


def _check_bins(edges: Sequence[float], shares: Sequence[float], further: int) -> None:
    _check_finite([float(number) for number in (*edges, *shares)], "reference")
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError("bins of the reference don't ascend")
    if len(shares) != len(edges) + further or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError("shares of the reference aren't one for each bin")


def _check_attribute(attribute: Attribute) -> None:
    if attribute.kind not in ("categorical", "numeric") or not isinstance(attribute.has_other, bool):
        raise ValueError("an attribute is of no kind")
    _check_names(attribute.categories, "categories")
    values = attribute.width if attribute.kind == "categorical" else len(attribute.knots)
    if len(attribute.shares) not in (0, values) or not all(0 <= share <= 1 for share in attribute.shares):
        raise ValueError("shares aren't one for each value")
    for knot in attribute.knots:
        _check_finite(float(knot), "knots")
    if any(low >= high for low, high in pairwise(attribute.knots)):
        raise ValueError("knots don't ascend")


def _check_names(given: Iterable[object], name: str) -> None:
    found = list(given)
    if not all(isinstance(one, str) for one in found) or len(set(found)) != len(found):
        raise ValueError(f"{name} aren't texts of which each is there once")


def _check_shapes(part: object, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        if getattr(part, name).shape != shape:
            raise ValueError(f"{name} has another shape than the rest of the model")


def _check_finite(part: Any, name: str) -> None:
    """Every number in it, however deep; of an array, NaN too where it may stand for what isn't known."""
    if isinstance(part, np.ndarray):
        bad = np.isinf(part) if name in MAY_BE_UNKNOWN else ~np.isfinite(part)
        if bad.any():
            raise ValueError(f"a number of {name} isn't finite")
    elif isinstance(part, float):
        if not math.isfinite(part):
            raise ValueError(f"{name} isn't finite")
    elif is_dataclass(part):
        for field in fields(part):
            _check_finite(getattr(part, field.name), field.name)
    elif isinstance(part, Mapping):
        for value in part.values():
            _check_finite(value, name)
    elif isinstance(part, (list, tuple)):
        for value in part:
            _check_finite(value, name)
