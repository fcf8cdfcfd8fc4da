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


def run_settings(
    settings: tuple[Settings, ...],
    predict: Callable[[Any, Settings], Any],
    read_split: Callable[[Path, int, int], Any],
    clock: Callable[[], float],
) -> int:
    """Predict a split with each of the settings, and print the file of each as a line of JSON."""
    parser = argparse.ArgumentParser(description="One peer on one split of the protocol.")
    parser.add_argument("--split", type=Path, required=True, help="a folder that the protocol's `split` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for predictions; made if missing")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default 0)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number, setting in enumerate(settings):
        started = clock()
        split = read_split(arguments.split, setting["dimensions"], arguments.seed)
        file = arguments.out / f"{number}.parquet"
        split.write(predict(split, setting), file)
        run = {"settings": setting, "predictions": str(file), "seconds": round(clock() - started, 1)}
        print(json.dumps(run), flush=True)
    return 0
