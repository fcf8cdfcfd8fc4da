"""A forest is refused unless its trees are whole; texts that crash LightGBM are only shown to disposable processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from model.artifact.consistency import check_forest
from model.errors import WrongForest

ROOT = Path(__file__).parents[3]
FEATURES = 4


def forest(target, **parameters):
    random = np.random.default_rng(0)
    features = random.normal(size=(400, FEATURES))
    features[::3, 1] = np.nan
    rows = lightgbm.Dataset(features, target(features))
    settings = {"objective": "regression", "verbosity": -1, "num_leaves": 6, "min_data_in_leaf": 5} | parameters
    return lightgbm.train(settings, rows, 5).model_to_string(num_iteration=-1)


def check(text, features=FEATURES):
    check_forest(lightgbm.Booster(model_str=text), features)


@pytest.fixture(scope="module")
def text():
    return forest(lambda features: np.nan_to_num(features[:, 1]) + features[:, 0] ** 2)


def changed(text, key, place, value):
    """The text with one number of the first tree's line of that key replaced, and the tree's size with it."""
    line = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)
    words = line[1].split(" ")
    words[place] = value
    after = text[: line.start(1)] + " ".join(words) + text[line.end(1) :]
    sizes = re.search(r"tree_sizes=(\d+)", after)
    return after[: sizes.start(1)] + str(int(sizes[1]) + len(after) - len(text)) + after[sizes.end(1) :]


@pytest.mark.parametrize(
    "target",
    [lambda x: np.zeros(len(x)), lambda x: x[:, 0], lambda x: np.isnan(x[:, 1]) * 1.0, lambda x: x[:, 2] * 1e5],
)
def test_what_training_writes_is_let_through(target):
    check(forest(target))


BREAKING = [
    ("left_child", "-2"), ("right_child", "-1"), ("split_feature", "999"), ("leaf_value", "nan"), ("leaf_value", "inf"),
    ("leaf_value", "1e300"), ("shrinkage", "nan"), ("internal_value", "nan"),
]  # fmt: skip
CHECK_EACH = """
import json, os, sys
import lightgbm
from model.artifact.consistency import check_forest
from model.errors import WrongForest
for text in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        try:
            check_forest(lightgbm.Booster(model_str=text), FEATURES)
        except (WrongForest, lightgbm.basic.LightGBMError):
            os._exit(0)
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""".replace("FEATURES", str(FEATURES))
"""Print for each model text: 0 if it is refused, 1 if it isn't, a negative number if LightGBM crashes."""


def test_a_number_that_breaks_a_tree_is_refused_or_ends_the_process(text):
    """LightGBM may read or write beyond its arrays, so each text is read by a process of its own."""
    texts = [text, *(changed(text, key, 0, value) for key, value in BREAKING)]
    done = subprocess.run(
        [sys.executable, "-c", CHECK_EACH], input=json.dumps(texts), cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    sound, *broken = map(int, done.stdout.split())
    assert sound == 1
    assert len(broken) == len(BREAKING)
    assert all(code <= 0 for code in broken), dict(zip(BREAKING, broken, strict=True))


def test_a_split_by_category_is_refused():
    random = np.random.default_rng(0)
    features = random.integers(3, size=(400, FEATURES)).astype(float)
    rows = lightgbm.Dataset(features, (features[:, 0] == 1) * 1.0, categorical_feature=[0])
    categorical = lightgbm.train({"objective": "regression", "verbosity": -1, "min_data_in_leaf": 5}, rows, 2)
    with pytest.raises(WrongForest, match="splits"):
        check_forest(categorical, FEATURES)


def test_a_forest_of_other_features_is_refused(text):
    for features in (FEATURES - 1, FEATURES + 1):
        with pytest.raises(WrongForest, match="features"):
            check(text, features)
