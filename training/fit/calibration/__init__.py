"""Fits prediction intervals and probabilities to out-of-fold predictions."""
