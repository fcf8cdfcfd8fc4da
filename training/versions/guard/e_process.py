"""A sequential test of whether means are above zero, which is valid however often it is looked at.

The e-process by betting of Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B,
2024): who begins with 1 and bets a share λ on each value being positive has Π (1 + λ x_i) in the end. If no value has a
positive mean, given those before it, this is a nonnegative supermartingale, and by Ville's inequality it ever reaches
1 / alpha with a probability of at most alpha.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STAKES = np.geomspace(0.01, 0.95, 12)
"""Shares λ·bound of the wealth that are bet at once; the wealth is the mean over them, as the best one is unknown."""


def e_values(values: Array, bound: float) -> Array:
    """Return (N,) the evidence after each of N values that their means are above zero: the wealth of who bets on it.

    The values (N,) must not be below `-bound`. An e-value of 100 or more occurs with a probability of at most 1 % if no
    mean is above zero, whenever one stops.
    """
    stakes = STAKES[:, None] / bound
    with np.errstate(over="ignore"):  # infinite evidence is evidence
        wealth: Array = np.exp(np.logaddexp.reduce(np.log1p(stakes * values).cumsum(axis=1)) - np.log(len(STAKES)))
    return wealth
