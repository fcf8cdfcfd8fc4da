"""Fits all parts of a model, with out-of-fold predictions of every rater."""
