"""Fits all parts of a model and predicts every rater out of fold."""
