"""Fits the factorization prior and the regressions from facts to factors."""
