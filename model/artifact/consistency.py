"""Checks that a model which could be read can also be served: finite numbers, whole trees, every kind of member."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import lightgbm
import numpy as np

from features.schema import Attribute
from model.errors import WrongForest
from model.facts.facts import MemberFacts
from model.prediction.calibration import PLAY_BINS
from model.prediction.model import Model
from model.prediction.predictions import ARRAYS

MAY_BE_UNKNOWN = ("release_year", "genres", "attributes", "numbers", "compared", "group_residuals")
"""Arrays of movies in which NaN stands for an unknown value."""
LARGEST_LEAF = 1e6
"""In rating points: larger than any leaf that training can make."""
BEYOND_KNOTS = 1e9
"""A value of a numeric attribute above its highest knot, and below its lowest where it is negative."""


def check_finite(part: Any, name: str) -> None:
    """Raises ValueError for an infinite number anywhere in a part, or NaN where it stands for no unknown value."""
    if isinstance(part, (np.ndarray, float)):
        bad = np.isinf(part) if name in MAY_BE_UNKNOWN else ~np.isfinite(part)
        if np.any(bad):
            raise ValueError(f"a number of {name} isn't finite")
    elif is_dataclass(part):
        for field in fields(part):
            check_finite(getattr(part, field.name), field.name)
    elif isinstance(part, Mapping):
        for value in part.values():
            check_finite(value, name)
    elif isinstance(part, (list, tuple)):
        for value in part:
            check_finite(value, name)


def check_forest(booster: lightgbm.Booster, feature_count: int) -> None:
    """Raises WrongForest unless each tree is whole and splits on the model's features at numbers, with finite leaves.

    LightGBM dumps each split and leaf that it reaches with its index: a tree is whole where it dumps each index once.
    For some trees that aren't whole it reads beyond its arrays or never ends, which is what a trial is for.
    """
    if booster.num_feature() != feature_count:
        raise WrongForest(f"trees.txt isn't a forest on {feature_count} features")
    try:
        trees = booster.dump_model()["tree_info"]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WrongForest("trees.txt holds a number that isn't finite") from error
    for number, tree in enumerate(trees):
        splits, leaves = _nodes(tree["tree_structure"])
        if sorted(node["split_index"] for node in splits) != list(range(tree["num_leaves"] - 1)):
            raise WrongForest(f"tree {number} of trees.txt isn't whole")
        if splits and sorted(node["leaf_index"] for node in leaves) != list(range(tree["num_leaves"])):
            raise WrongForest(f"tree {number} of trees.txt isn't whole")
        if any(node["decision_type"] != "<=" or not 0 <= node["split_feature"] < feature_count for node in splits):
            raise WrongForest(f"tree {number} of trees.txt splits on something else than a number of the model")
        if any(abs(node["leaf_value"]) > LARGEST_LEAF for node in leaves):
            raise WrongForest(f"a leaf of tree {number} of trees.txt is out of range")


def check_every_kind(model: Model) -> None:
    """Raises ValueError, or what NumPy raises, unless the model can predict and explain for every kind of member.

    Members have each kind of evidence, each number of plays that is calibrated by itself, and attributes at either end;
    the movie is the last of the catalogue, which an array that is too short lacks.
    """
    model.reference.binning(model.schema)
    last = len(model.catalogue) - 1
    for end in (math.nan, -1.0, 1.0):
        attributes = np.array([_extreme(attribute, end) for attribute in model.schema.member_attributes], np.float32)
        for plays in (0, *PLAY_BINS):
            movies = np.arange(min(plays, last), dtype=np.int32)
            unknown = np.full(len(movies), np.nan, np.float32)
            explanation = model.explain(MemberFacts(attributes, movies, unknown, unknown), last)
            check_finite([getattr(explanation.predictions, name) for name in ARRAYS], "predictions")
            check_finite(explanation.parts, "explanations")


def _nodes(root: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The splits and the leaves of a tree."""
    splits, leaves, waiting = [], [], [root]
    while waiting:
        node = waiting.pop()
        if "split_index" in node:
            splits.append(node)
            waiting += [node["left_child"], node["right_child"]]
        else:
            leaves.append(node)
    return splits, leaves


def _extreme(attribute: Attribute, end: float) -> float:
    """The encoded first (-1) or last (1) value of an attribute; NaN for neither."""
    if attribute.kind == "numeric" or math.isnan(end):
        return BEYOND_KNOTS * end
    return 0.0 if end < 0 else attribute.width - 1.0
