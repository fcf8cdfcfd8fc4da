"""Limits on the size of a request and on the values of its fields."""

import numpy as np

MOVIES = 1_000
PLAYS = 10_000
ATTRIBUTES = 1_000
GENRES = 100
ID_LENGTH = 256
TEXT_LENGTH = 1_000
LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""The largest number in the model's float32 arrays."""
YEARS = (1800, 2200)
TIMESTAMP_SECONDS = (-62_135_596_800, 253_402_300_799)
"""The years 1 to 9999, which google.protobuf.Timestamp allows."""
PAGE_SIZE = 1_000
DEFAULT_PAGE_SIZE = 20
