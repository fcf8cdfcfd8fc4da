"""Accounting of Gaussian releases under differential privacy: what noise a budget of epsilon and delta asks for.

Several Gaussian releases are together one, whose mu is the root of the sum of their squares, where mu is sensitivity
over standard deviation (Dong, Roth and Su, Gaussian Differential Privacy, JRSS B 2022). The curve of epsilon and delta
is exact (Balle and Wang, ICML 2018).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr
from scipy.stats import norm

Array = NDArray[np.float64]


def delta_of(mu: float, epsilon: float) -> float:
    """Return the smallest delta for which a Gaussian release of this mu is (epsilon, delta)-private."""
    second = float(np.exp(epsilon + log_ndtr(-epsilon / mu - mu / 2)))
    return float(norm.cdf(mu / 2 - epsilon / mu)) - second


def mu_of(epsilon: float, delta: float) -> float:
    """Return the largest mu of a Gaussian release that is (epsilon, delta)-private."""
    return float(brentq(lambda mu: delta_of(mu, epsilon) - delta, 1e-6, 100.0, xtol=1e-12))


def epsilon_of(mu: float, delta: float) -> float:
    """Return the smallest epsilon for which a Gaussian release of this mu is (epsilon, delta)-private."""
    if delta_of(mu, 0.0) <= delta:
        return 0.0
    return float(brentq(lambda epsilon: delta_of(mu, epsilon) - delta, 0.0, 50 * (mu + mu**2), xtol=1e-9))


class Releases:
    """Adds noise to sums over members, so that all sums together keep within a budget."""

    def __init__(self, mu: float, shares: Mapping[str, float], random: np.random.Generator) -> None:
        """`mu` is the budget, infinite for no noise; `shares` are the shares of its square by name, 1 in all."""
        if abs(sum(shares.values()) - 1) > 1e-9:
            raise ValueError("the shares of the budget must sum to 1")
        self._mu, self._left, self._random = mu, dict(shares), random

    def multipliers(self) -> dict[str, float]:
        """Return the standard deviation of the noise over the sensitivity, for each release that isn't made yet."""
        return {name: self.deviation(name, 1.0) for name in self._left}

    def deviation(self, name: str, sensitivity: float) -> float:
        """Return the standard deviation of the noise of a release."""
        return sensitivity / (self._mu * float(np.sqrt(self._left[name])))

    def release(self, name: str, sums: Array, sensitivity: float) -> Array:
        """Return sums with noise; no member changes them by more than `sensitivity` (L2). Each name is used once."""
        noise = self.deviation(name, sensitivity)
        del self._left[name]
        return sums + noise * self._random.normal(size=sums.shape)
