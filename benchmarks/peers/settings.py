"""The settings that each peer is run with, and the run of all of them on one split."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Settings = dict[str, Any]

CMFREC: tuple[Settings, ...] = (
    {"dimensions": 0, "k": 10, "lambda_": 10.0, "w_user": 5.0, "w_item": 0.5, "user_bias": True},
    {"dimensions": 0, "k": 10, "lambda_": 10.0, "w_user": 5.0, "w_item": 0.5, "user_bias": False},
    {"dimensions": 10, "k": 10, "lambda_": 10.0, "w_user": 5.0, "w_item": 0.5, "user_bias": False},
    {"dimensions": 30, "k": 20, "lambda_": 10.0, "w_user": 5.0, "w_item": 0.5, "user_bias": False},
    {"dimensions": 30, "k": 20, "lambda_": 30.0, "w_user": 10.0, "w_item": 0.5, "user_bias": False},
)
"""Factors, their penalty, and how much members' features count against ratings. Without a bias of its own, a member's
generosity has to come from features, as it must for a new one."""
MYFM: tuple[Settings, ...] = (
    {"dimensions": 0, "rank": 8, "iterations": 120},
    {"dimensions": 10, "rank": 8, "iterations": 120},
    {"dimensions": 30, "rank": 8, "iterations": 120},
    {"dimensions": 30, "rank": 3, "iterations": 120},
)
"""`dimensions` are those of the plays; penalties of each group of features are drawn by the sampler itself."""

CMFREC_WITH_RATINGS: tuple[Settings, ...] = (
    {"dimensions": 10, "k": 10, "lambda_": 10.0, "w_user": 5.0, "w_item": 0.5, "user_bias": True},
    {"dimensions": 30, "k": 20, "lambda_": 10.0, "w_user": 5.0, "w_item": 0.5, "user_bias": True},
    {
        "dimensions": 0,
        "k": 20,
        "lambda_": 10.0,
        "w_user": 0.5,
        "w_item": 0.5,
        "w_implicit": 0.5,
        "add_implicit_features": True,
        "user_bias": True,
    },
)
MYFM_WITH_RATINGS: tuple[Settings, ...] = (
    {"dimensions": 0, "rank": 8, "iterations": 120, "ids": True, "implicit": True},
    {"dimensions": 30, "rank": 8, "iterations": 120, "ids": True, "implicit": False},
    {"dimensions": 30, "rank": 8, "iterations": 120, "ids": True, "implicit": True},
)
"""Members who show ratings are learned from like all others: cmfrec has factors of their own for them, myFM their ids,
and with `implicit` also which movies they play, as in SVD++."""


def run_settings(
    settings: tuple[Settings, ...],
    with_ratings: tuple[Settings, ...],
    predict: Callable[[Any, Settings], Any],
    read_split: Callable[[Path, int, int, Path | None], Any],
    clock: Callable[[], float],
) -> int:
    """Predict a split with each of the settings, and print the file of each as a line of JSON.

    `with_ratings` are the settings for held-out members who show ratings.
    """
    parser = argparse.ArgumentParser(description="One peer on one split of the protocol.")
    parser.add_argument("--split", type=Path, required=True, help="a folder that the protocol's `split` wrote")
    parser.add_argument("--shown", type=Path, help="a table of ratings that held-out members show (default none)")
    parser.add_argument("--out", type=Path, required=True, help="folder for predictions; made if missing")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default 0)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number, setting in enumerate(settings if arguments.shown is None else with_ratings):
        started = clock()
        split = read_split(arguments.split, setting["dimensions"], arguments.seed, arguments.shown)
        file = arguments.out / f"{number}.parquet"
        split.write(predict(split, setting), file)
        run = {"settings": setting, "predictions": str(file), "seconds": round(clock() - started, 1)}
        print(json.dumps(run), flush=True)
    return 0
