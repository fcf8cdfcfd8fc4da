"""Fits the prior: a factorization of the ratings, and regressions from members' facts to their factors."""
