"""From a data directory to a dataset of arrays."""
