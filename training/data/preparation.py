"""From a data directory to a dataset, or every reason why not."""

import os
from pathlib import Path

from training.data.dataset import Dataset, make_dataset
from training.data.infer_schema import Merged, infer_schema
from training.data.reading.tables import Tables, read_tables


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(folder: Path, min_holders: int) -> tuple[Tables, Dataset, tuple[Merged, ...]]:
    """The tables, checked, the dataset made of them, and what the schema merged; raises DataError."""
    tables = read_tables(folder)
    schema, merged = infer_schema(tables, min_holders)
    return tables, make_dataset(tables, schema), merged
