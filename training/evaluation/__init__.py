"""Measures how good predictions are for raters shown as if they never rated, and compares them with simpler ones."""
