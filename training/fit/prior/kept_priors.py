"""Keeps fitted priors in files, so that an interrupted fit goes on where it was."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from model.artifact.prior_arrays import prior_arrays, prior_numbers, prior_of
from model.artifact.serialization import from_json, to_json
from training.data.passes.array_files import Arrays, read_arrays, write_arrays
from training.errors import DamagedPartition
from training.fit.prior.fit_prior import FittedPrior

NUMBERS, TABLE, DESCRIBED = "numbers", "table.", "described"


def kept_prior(path: Path, fit: Callable[[], FittedPrior]) -> FittedPrior:
    """Return the prior in a file; if the file is missing or damaged, fit the prior and write the file first.

    A prior that has just been fitted is read, too: NumPy may round sums over another memory layout differently.
    """
    try:
        return read_arrays(path, _prior)
    except DamagedPartition:
        _write(path, fit())
    return read_arrays(path, _prior)


def _write(path: Path, fitted: FittedPrior) -> None:
    numbers = np.frombuffer(to_json(prior_numbers(fitted.prior)), np.uint8)
    table = {f"{TABLE}{name}": fitted.table[name].fill_null(np.nan).to_numpy() for name in fitted.table.columns}
    arrays = prior_arrays(fitted.prior) | table | {NUMBERS: numbers, DESCRIBED: fitted.described}
    write_arrays(path, {name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _prior(arrays: Arrays) -> FittedPrior:
    table = pl.DataFrame(
        {name.removeprefix(TABLE): values for name, values in arrays.items() if name.startswith(TABLE)}
    ).with_columns(pl.col("spread").fill_nan(None))
    prior = prior_of(dict(arrays), from_json(arrays[NUMBERS].tobytes()))
    return FittedPrior(prior, table, arrays[DESCRIBED])
