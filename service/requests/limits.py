"""Limits on the sizes of requests and on the values of their fields."""

import numpy as np

MOVIES = 1_000
PLAYS = 10_000
ATTRIBUTES = 1_000
GENRES = 100
ID_LENGTH = 256
TEXT_LENGTH = 1_000
LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""Largest finite value of float32, the type of the model's arrays."""
YEARS = (1800, 2200)
TIMESTAMP_SECONDS = (-62_135_596_800, 253_402_300_799)
"""Range of google.protobuf.Timestamp, years 1 to 9999, in seconds since 1970 UTC."""
PAGE_SIZE = 1_000
DEFAULT_PAGE_SIZE = 20
