"""Checks the text of a LightGBM forest before LightGBM reads it, which dies of a text that doesn't hold together.

The format is that of LightGBM's `model_to_string`, version v4: a head of `key=value` lines, one block a tree whose
length in bytes the head tells (`tree_sizes`), then importances and parameters. Only what our own training writes is
let through: one output, numeric splits, constant leaves.
"""

import re

import numpy as np
from numpy.typing import NDArray

from model.errors import WrongForest

MOST_TREES, MOST_LEAVES = 10_000, 4096
"""Of a forest, and of a tree; one with more isn't meant for serving."""
HEAD = {"version": "v4", "num_class": "1", "num_tree_per_iteration": "1", "label_index": "0", "objective": "regression"}
SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
SPLITS_TOLD = ("internal_value", "internal_weight", "internal_count")
LEAVES, LEAVES_TOLD = ("leaf_value",), ("leaf_weight", "leaf_count")
TREE = {"num_leaves", "num_cat", "is_linear", "shrinkage", *SPLITS, *SPLITS_TOLD, *LEAVES, *LEAVES_TOLD}
WHOLE = {"split_feature", "decision_type", "left_child", "right_child", "leaf_count", "internal_count"}
END = "end of trees\n"
_NUMBER = r"-?\d{1,40}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?"
NUMBERS = re.compile(rf"{_NUMBER}(?: {_NUMBER})*")
THRESHOLDS = re.compile(rf"(?:{_NUMBER}|inf)(?: (?:{_NUMBER}|inf))*")
"""A threshold of inf parts what is known from what isn't."""
AFTER = re.compile(
    r"\nfeature_importances:\n(?:Column_\d+=\d+\n)*"
    r"\nparameters:\n(?:\[\w+: [^\[\]\n]*\]\n)*\nend of parameters\n\n?(?:pandas_categorical:null\n)?"
)
LARGEST = 1e6
"""Beyond every value of a leaf, in rating points."""

Array = NDArray[np.float64]


def check_forest(text: str, features: int) -> None:
    """Raises WrongForest unless this is the text of a forest of numeric splits on so many features."""
    if not text.isascii():
        raise WrongForest("the text isn't ASCII")
    head, found, _ = text.partition("\n\nTree=0\n")
    if not found:
        raise WrongForest("there is no first tree")
    start = len(head) + 2
    for number, size in enumerate(_sizes(head, features)):
        block = text[start : start + size]
        title = f"Tree={number}\n"
        if len(block) != size or not block.startswith(title) or not block.endswith("\n\n"):
            raise WrongForest(f"tree {number} isn't where the head says")
        try:
            _check_tree(_values(block[len(title) : -2]), features)
        except WrongForest as error:
            raise WrongForest(f"tree {number}: {error}") from error
        start += size
    if not text.startswith(END, start):
        raise WrongForest("the trees don't end where the head says")
    if not AFTER.fullmatch(text, start + len(END)):
        raise WrongForest("what follows the trees isn't importances and parameters")


def _sizes(head: str, features: int) -> list[int]:
    """Bytes of each tree."""
    first, _, rest = head.partition("\n")
    if first != "tree":
        raise WrongForest("it doesn't begin as a forest")
    values = _values(rest)
    for key, value in (HEAD | {"max_feature_idx": str(features - 1)}).items():
        if values.pop(key, None) != value:
            raise WrongForest(f"{key} isn't that of the model")
    if values.pop("feature_names", None) != " ".join(f"Column_{number}" for number in range(features)):
        raise WrongForest("feature_names aren't those of the model")
    if len(values.pop("feature_infos", "").split(" ")) != features:
        raise WrongForest("feature_infos are of another number of features")
    sizes = values.pop("tree_sizes", "").split(" ")
    if values:
        raise WrongForest("the head says more than it should")
    if not 0 < len(sizes) <= MOST_TREES or not all(re.fullmatch(r"[1-9]\d{0,8}", size) for size in sizes):
        raise WrongForest("tree_sizes are no sizes")
    return [int(size) for size in sizes]


def _values(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in text.removesuffix("\n").split("\n"):
        key, found, value = line.partition("=")
        if not found or key in values:
            raise WrongForest("a line isn't one key and its value")
        values[key] = value
    return values


def _check_tree(values: dict[str, str], features: int) -> None:
    if not values.keys() <= TREE:
        raise WrongForest("there are keys that numeric trees don't have")
    leaves = int(_numbers(values, "num_leaves", 1)[0])
    if not 1 <= leaves <= MOST_LEAVES or values.get("num_cat") != "0" or values.get("is_linear") != "0":
        raise WrongForest("it isn't a numeric tree of a usual size")
    if not 0 < _numbers(values, "shrinkage", 1)[0] <= 1:
        raise WrongForest("shrinkage is out of range")
    if abs(_numbers(values, "leaf_value", leaves)).max() > LARGEST:
        raise WrongForest("leaf_value is out of range")
    if leaves > 1:
        for names, count in ((LEAVES_TOLD, leaves), (SPLITS_TOLD, leaves - 1)):
            for name in names:
                _numbers(values, name, count)
        splits = {name: _numbers(values, name, leaves - 1) for name in SPLITS}
        _in_range(splits["split_feature"], 0, features - 1, "split_feature")
        _in_range(splits["decision_type"], 0, 15, "decision_type")
        if (splits["decision_type"].astype(int) & 1).any():
            raise WrongForest("decision_type tells of a split by category")
        _check_shape(splits["left_child"], splits["right_child"], leaves)


def _check_shape(left: Array, right: Array, leaves: int) -> None:
    """Every node but the root and every leaf has one parent that stands before it: so there is no cycle."""
    for children, name in ((left, "left_child"), (right, "right_child")):
        _in_range(children, -leaves, leaves - 2, name)
        inner = children >= 0
        if (children[inner] <= np.flatnonzero(inner)).any():
            raise WrongForest(f"{name} leads back")
    if sorted(np.concatenate([left, right]).tolist()) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise WrongForest("a node or a leaf hasn't exactly one parent")


def _numbers(values: dict[str, str], name: str, count: int) -> Array:
    """So many finite numbers, whole ones where they must be."""
    text = values.get(name, "")
    pattern = THRESHOLDS if name == "threshold" else NUMBERS
    numbers = np.array(list(map(float, text.split(" "))) if pattern.fullmatch(text) else [])
    if len(numbers) != count:
        raise WrongForest(f"{name} isn't {count} numbers")
    if name != "threshold" and not np.isfinite(numbers).all():
        raise WrongForest(f"{name} isn't finite")
    if name in WHOLE and (numbers != np.floor(numbers)).any():
        raise WrongForest(f"{name} isn't whole")
    return numbers


def _in_range(numbers: Array, low: int, high: int, name: str) -> None:
    if numbers.min() < low or numbers.max() > high:
        raise WrongForest(f"{name} is out of range")
