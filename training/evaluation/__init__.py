"""Scores out-of-fold predictions of raters, treated as if they had never rated, and compares them with baselines."""
