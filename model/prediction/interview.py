"""The interview of a member: the movies whose ratings would narrow the intervals of the catalogue most.

A rating is modelled as in `prior.rating_update`: design . z + error, where z are the errors of the member's predicted
factors, normal with a covariance C. A rating of a movie with design x and error variance v lowers the variance of a
prediction for a movie with design y by (x . C y)^2 / (x . C x + v), whatever the rating turns out to be. A member who
hasn't seen a movie can't rate it, so this counts by the probability that the member has seen it. Each movie is the one
that lowers the mean variance most that the movies before it are expected to leave. In this mean over the catalogue,
movies count by the same probability: those that the member plays show what predictions are for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts
from model.prediction.model import Model, Stage, State, ignore
from model.prediction.prior.play_probability import inputs_of, probability_of, shares_of
from model.prediction.prior.rating_update import design_of

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Interview:
    """N movies to ask a member to rate, in the order in which to ask for them."""

    rows: Rows
    """(N,) catalogue rows of the movies."""
    probability_seen: Array
    """(N,) probability, 0 to 1, that the member has seen the movie."""
    expected_width: Array
    """(N,) expected width of the catalogue's intervals after asking for the movie and those before it."""
    current_width: float
    """Width of the catalogue's intervals now, in rating points: that at the root of the mean variance, not clipped."""
    member_evidence: MemberEvidence
    """What is known of the member and used."""


def movies_to_ask(
    model: Model,
    member: MemberFacts,
    allowed: NDArray[np.bool_] | None = None,
    most: int = 10,
    finished: Stage = ignore,
) -> Interview:
    """Return at most `most` movies to ask a member to rate, best first.

    Movies that the member has rated are left out, and ties are in row order. `allowed` (M,) is a mask of the catalogue;
    None allows all movies. A model that can't use ratings asks for none. `finished` is called with the name of each
    stage that ends.
    """
    state = model.state_of(member)
    rows = _candidates(model, member, allowed)
    seen = probability_seen(model, member, state)
    probability = seen.take(rows)
    finished("features")
    uncertainty = _Uncertainty.of(model, state, seen)
    questions = uncertainty.questions(rows)
    asked = list(questions.in_turn(probability, min(most, len(rows))))
    places = np.array([place for place, _ in asked], np.int64)
    reach = _reach(model, member, state)
    left = uncertainty.variance - np.cumsum([gain for _, gain in asked])
    finished("interval")
    return Interview(
        rows[places],
        probability[places],
        2 * reach * np.sqrt(left),
        2 * reach * float(np.sqrt(uncertainty.variance)),
        state.evidence,
    )


def _candidates(model: Model, member: MemberFacts, allowed: NDArray[np.bool_] | None) -> Rows:
    """Return the rows of the movies that the member may be asked for."""
    candidates = np.full(len(model.catalogue), bool(model.prior.rating_weights))
    if allowed is not None:
        candidates &= allowed
    candidates[member.ratings.movies] = False
    return np.flatnonzero(candidates)


def probability_seen(model: Model, member: MemberFacts, state: State) -> Array:
    """Return the (M,) probabilities that the member has seen the movies of the catalogue."""
    prior = model.prior
    probability = shares_of(prior.columns.squared_weight)
    if state.evidence.has_plays:
        similarity = (model.view.ready.direction * state.members.embedding).sum(axis=1)
        probability = probability_of(inputs_of(probability, similarity, len(member.movies)), prior.play_weights)
    probability[member.movies] = 1
    return probability


def _reach(model: Model, member: MemberFacts, state: State) -> float:
    """Return the half width, in standard deviations, of the member's intervals for rated movies."""
    counts = len(member.ratings) if state.evidence.has_ratings else len(member.movies)
    return model.calibration.reach(state.evidence, counts, MovieEvidence.RATED)


@dataclass(frozen=True)
class _Uncertainty:
    """What makes ratings of the catalogue's M movies by one member uncertain, with K factors."""

    design: Array
    """(M, K) taste factors of the movies, then 1."""
    error: Array
    """(M,) variance of a rating if the member's factors were known."""
    covariance: Array
    """(K, K) covariance of the member's factors."""
    moment: Array
    """(K, K) second moment of the design, in which movies count by the probability that they were seen."""
    variance: float
    """Mean variance of a rating about its prediction, with the same weights."""

    @staticmethod
    def of(model: Model, state: State, seen: Array) -> "_Uncertainty":
        """Return what is uncertain about the member of a state, who has seen the M movies with these probabilities."""
        prior = model.prior
        design, noise = design_of(prior.movies), model.view.noise
        covariance = prior.spread[state.evidence.without_ratings]
        if state.update is not None:
            covariance = covariance - state.update.reduction[0]
            noise = noise * state.update.noise[0]
        weight, error = seen / seen.sum(), noise + model.view.variance
        moment = np.stack([(design * (weight * column)[:, None]).sum(axis=0) for column in design.T])
        variance = float((weight * error).sum() + (moment * covariance).sum())
        return _Uncertainty(design, error, covariance, moment, variance)

    def questions(self, rows: Rows) -> "_Questions":
        """Return the movies in these rows as questions, none of which has been asked."""
        return _Questions(self.design.take(rows, axis=0), self.error.take(rows), self.covariance, self.moment)


class _Questions:
    """N movies to ask for, with what is expected of their ratings once others have been asked for.

    Each movie is independent of the others: there are no products of matrices, which round by their shapes.
    """

    def __init__(self, design: Array, error: Array, covariance: Array, moment: Array) -> None:
        self._design, self._error = design, error
        self._covered = _times(design, covariance)
        """(N, K) covariance times the design."""
        self._weighed = _times(self._covered, moment)
        """(N, K) moment times covariance times the design."""
        self._variance = (design * self._covered).sum(axis=1)
        """(N,) variance of a rating's expectation."""

    def in_turn(self, probability: Array, most: int) -> Iterator[tuple[int, float]]:
        """Yield each movie to ask for, and by how much asking is expected to lower the mean variance.

        `probability` (N,) is that of an answer.
        """
        asked: list[int] = []
        for _ in range(most):
            gains = probability * (self._covered * self._weighed).sum(axis=1) / (self._variance + self._error)
            gains[asked] = -np.inf
            best = int(gains.argmax())
            yield best, float(gains[best])
            self._ask(best, float(probability[best]))
            asked.append(best)

    def _ask(self, place: int, probability: float) -> None:
        """Lower the covariance by as much as is expected: by what the rating explains, times its probability."""
        covered, weighed = self._covered[place].copy(), self._weighed[place].copy()
        shared = (self._design * covered).sum(axis=1)
        step = shared * (probability / (self._variance[place] + self._error[place]))
        self._covered -= step[:, None] * covered
        self._weighed -= step[:, None] * weighed
        self._variance -= step * shared


def _times(rows: Array, symmetric: Array) -> Array:
    """Return (N, K) rows times a symmetric matrix (K, K)."""
    return np.stack([(rows * column).sum(axis=1) for column in symmetric], axis=1)
