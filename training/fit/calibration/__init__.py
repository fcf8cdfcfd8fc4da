"""Fits intervals and probabilities on out-of-fold predictions."""
