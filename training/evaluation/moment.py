"""The moment that an evaluation by time divides ratings at."""

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from features.columns import RATED_AT
from training.errors import DataError, Problem


@dataclass(frozen=True)
class At:
    """Where ratings are divided, as it was asked for."""

    share: float | None = None
    """The moment before which this share of the ratings was given."""
    seconds: float | None = None
    """The moment itself, in seconds since 1970 UTC."""


def at(text: str) -> At:
    """The type of an option: a share between 0 and 1, an ISO 8601 time, or seconds since 1970 UTC."""
    try:
        number = float(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
        except ValueError as error:
            told = "must be a share between 0 and 1, a time such as 2024-03-01, or seconds since 1970"
            raise argparse.ArgumentTypeError(told) from error
        return At(seconds=(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    if 0 < number < 1:
        return At(share=number)
    if number <= 1 or not np.isfinite(number):
        raise argparse.ArgumentTypeError("must be a share above 0 and below 1, or a time")
    return At(seconds=number)


def moment_of(ratings: pl.DataFrame, where: At) -> float:
    """The moment in seconds since 1970 UTC; raises DataError unless ratings lie on both sides of it."""
    times = ratings[RATED_AT].drop_nulls().sort().to_numpy()
    if not len(times):
        raise DataError([Problem("ratings", "no rating tells when it was given: there is nothing to divide by time")])
    by_share = float(times[int(len(times) * (where.share or 0.0))])
    moment = by_share if where.seconds is None else where.seconds
    if not times[0] < moment <= times[-1]:
        first, last = (datetime.fromtimestamp(time, UTC).date().isoformat() for time in (times[0], times[-1]))
        raise DataError([Problem("--at", f"ratings were given from {first} to {last}: name a moment between them")])
    return moment
