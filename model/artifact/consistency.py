"""Checks that a loaded model can be served: numbers are finite, trees complete, and members of every kind predicted."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import lightgbm
import numpy as np

from features.schema import Attribute
from model.errors import WrongForest
from model.facts.facts import NO_RATINGS, MemberFacts, Ratings
from model.prediction.calibration import PLAY_BINS
from model.prediction.interview import movies_to_ask
from model.prediction.model import Model
from model.prediction.predictions import ARRAYS

MAY_BE_UNKNOWN = ("release_year", "genres", "attributes", "numbers", "compared", "group_residuals")
"""Names of the arrays of movies in which NaN means that a value is unknown."""
LARGEST_LEAF = 1e6
"""Maximum absolute value of a leaf of a tree, in rating points; training never produces one this large."""
BEYOND_KNOTS = 1e9
"""Value of a numeric attribute that is expected to be above all knots of its encoding; its negative is below all
knots."""


def check_finite(part: Any, name: str) -> None:
    """Raise ValueError if a part of a model holds an infinite number, or NaN outside the arrays in MAY_BE_UNKNOWN."""
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
    """Raise WrongForest unless the LightGBM model can be used: every tree complete, with valid splits and leaves.

    Splits must be numeric and on one of the `feature_count` inputs. LightGBM dumps the index of each split and leaf
    that it reaches, so a tree is complete if each index is dumped once. For some incomplete trees, LightGBM reads out
    of bounds or loops forever; the trial process catches those.
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
    """Check that the model can predict and explain for members with and without attributes, plays and ratings.

    Tries unknown, low and high attributes, each without plays and with every number of plays in PLAY_BINS, unrated and
    all rated. The movie is the last of the catalogue, which is out of range of arrays that are too short. Raises
    ValueError or any error of NumPy if a prediction fails or isn't finite.
    """
    model.reference.binning(model.schema)
    last = len(model.catalogue) - 1
    for end in (math.nan, -1.0, 1.0):
        attributes = np.array([_extreme(attribute, end) for attribute in model.schema.member_attributes], np.float32)
        for plays in (0, *PLAY_BINS):
            movies = np.arange(min(plays, last), dtype=np.int32)
            unknown = np.full(len(movies), np.nan, np.float32)
            ratings = Ratings(movies, np.full(len(movies), model.schema.scale.low), unknown.astype(np.float64))
            for own in (NO_RATINGS, ratings):
                explanation = model.explain(MemberFacts(attributes, movies, unknown, unknown, own), last)
                check_finite([getattr(explanation.predictions, name) for name in ARRAYS], "predictions")
                check_finite(explanation.parts, "explanations")
    check_finite(movies_to_ask(model, MemberFacts(attributes, movies, unknown, unknown)).expected_width, "intervals")


def _nodes(root: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the splits and the leaves of a tree of LightGBM, as dictionaries."""
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
    """Return the encoded lowest (`end` -1) or highest (`end` 1) value of an attribute; NaN if `end` is NaN."""
    if attribute.kind == "numeric" or math.isnan(end):
        return BEYOND_KNOTS * end
    return 0.0 if end < 0 else attribute.width - 1.0
