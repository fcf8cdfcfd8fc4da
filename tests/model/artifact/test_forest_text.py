"""A forest's text is refused unless it holds together, before LightGBM could die of it."""

import re

import lightgbm
import numpy as np
import pytest

from model.artifact.forest_text import check_forest
from model.errors import WrongForest

FEATURES = 4


def forest(target, **parameters):
    random = np.random.default_rng(0)
    features = random.normal(size=(400, FEATURES))
    features[::3, 1] = np.nan
    rows = lightgbm.Dataset(features, target(features))
    told = {"objective": "regression", "verbosity": -1, "num_leaves": 6, "min_data_in_leaf": 5} | parameters
    return lightgbm.train(told, rows, 5).model_to_string(num_iteration=-1)


@pytest.fixture(scope="module")
def text():
    return forest(lambda features: np.nan_to_num(features[:, 1]) + features[:, 0] ** 2)


def change(text, key, number, value):
    """The text with one number of the first tree's line of that key replaced, its size told anew."""
    line = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)
    words = line[1].split(" ")
    words[number] = value
    return resized(text, text[: line.start(1)] + " ".join(words) + text[line.end(1) :])


def resized(before, after):
    sizes = re.search(r"tree_sizes=(\d+)", after)
    return after[: sizes.start(1)] + str(int(sizes[1]) + len(after) - len(before)) + after[sizes.end(1) :]


@pytest.mark.parametrize(
    "target",
    [lambda x: np.zeros(len(x)), lambda x: x[:, 0], lambda x: np.isnan(x[:, 1]) * 1.0, lambda x: x[:, 2] * 1e5],
)
def test_what_lightgbm_writes_is_let_through(target):
    check_forest(forest(target), FEATURES)


CHANGES = [
    ("left_child", 0, "99"), ("left_child", 0, "-99"), ("left_child", 0, "0"), ("right_child", -1, "0"),
    ("right_child", 0, "1.5"), ("split_feature", 0, "4"), ("split_feature", 0, "-1"),
    ("split_feature", 0, "2147483648"),
    ("threshold", 0, "nan"), ("threshold", 0, "x"), ("threshold", 0, ""), ("leaf_value", 0, "nan"),
    ("leaf_value", 0, "inf"), ("leaf_value", 0, "1e300"), ("leaf_value", 0, "1e999"), ("decision_type", 0, "1"),
    ("decision_type", 0, "99"), ("num_leaves", 0, "7"), ("num_leaves", 0, "5"), ("num_leaves", 0, "999999999"),
    ("num_leaves", 0, "0"), ("num_leaves", 0, "-1"), ("num_cat", 0, "1"), ("is_linear", 0, "1"), ("shrinkage", 0, "0"),
    ("leaf_count", 0, "1 1"), ("internal_value", 0, "nan"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "number", "value"), CHANGES)
def test_a_number_that_breaks_a_tree_is_refused(text, key, number, value):
    with pytest.raises(WrongForest, match="tree 0"):
        check_forest(change(text, key, number, value), FEATURES)


def test_a_cycle_is_refused(text):
    """Two nodes that lead to each other: LightGBM would never come back."""
    left = re.search(r"^left_child=(.*)$", text, re.MULTILINE)[1].split(" ")
    inner = next(place for place, child in enumerate(left) if int(child) > 0)
    with pytest.raises(WrongForest, match="left_child leads back"):
        check_forest(change(text, "left_child", inner, str(inner)), FEATURES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version=v4", "version=v3"), ("num_class=1", "num_class=2"), ("max_feature_idx=3", "max_feature_idx=2"),
        ("max_feature_idx=3", "max_feature_idx=30"), ("objective=regression", "objective=binary sigmoid:1"),
        ("Column_0 Column_1", "Column_1 Column_0"), ("tree_sizes=", "tree_sizes=1 "), ("tree_sizes=", "tree_sizes=9"),
        ("end of trees", "end of treez"), ("parameters:\n", "parameters:\nx\n"), ("Tree=1", "Tree=7"),
        ("tree\n", "tree\naverage_output\n"), ("num_cat=0\n", ""),
        ("pandas_categorical:null", "pandas_categorical:[1]"),
        ("num_cat=0\n", "num_cat=0\ncat_boundaries=0 1\n"), ("shrinkage=0.1", "shrinkage=0.1\u00b2"),
    ],
)  # fmt: skip
def test_a_text_that_is_not_as_training_writes_it_is_refused(text, old, new):
    assert old in text
    with pytest.raises(WrongForest):
        check_forest(text.replace(old, new, 1), FEATURES)


def test_a_forest_of_other_features_is_refused(text):
    for features in (FEATURES - 1, FEATURES + 1):
        with pytest.raises(WrongForest, match="max_feature_idx"):
            check_forest(text, features)


def test_no_cut_of_the_text_is_let_through(text):
    end = text.index("end of parameters")
    for cut in range(0, end, 7):
        with pytest.raises(WrongForest):
            check_forest(text[:cut], FEATURES)
