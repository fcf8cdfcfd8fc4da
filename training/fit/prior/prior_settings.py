"""The settings of the factorization prior."""

from dataclasses import dataclass

from training.fit.prior.kernel_ridge import KernelSettings

RIDGES = (6.0, 16.0, 64.0, 256.0, 1024.0)
WITH_PLAYS = KernelSettings(ridges=RIDGES, gamma=0.7, amplitude=1.6, landmarks=700)
ATTRIBUTES_ONLY = KernelSettings(ridges=RIDGES, gamma=0.4, amplitude=1.0, landmarks=600)


@dataclass(frozen=True)
class PriorSettings:
    """How the prior is fitted; the values were chosen on inner member folds of MovieLens 1M."""

    rank: int = 16
    """Dimensions of taste; those that aren't needed shrink to nothing."""
    sweeps: int = 12
    """Sweeps of expectation-maximization before members' features come in."""
    rounds: int = 2
    """Rounds of regression from features to factors and back."""
    sweeps_per_round: int = 3
    """Sweeps after each regression."""
    embedding: int = 150
    """Dimensions of the space of plays."""
    sight: int = 48
    """Leading dimensions of the space of plays that bumps see: with half the landmarks, no worse and much cheaper."""
    folds: int = 3
    """Member folds by which a member's own factors are kept out of the prediction of them."""
    prior_ratings: float = 20.0
    """A rater weighs half of full weight in the regression at so many ratings."""
    with_plays: KernelSettings = WITH_PLAYS
    """The regressions that see plays."""
    attributes_only: KernelSettings = ATTRIBUTES_ONLY
    """The regression that sees attributes alone."""
