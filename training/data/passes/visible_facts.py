"""Facts that views show, as arrays from which the inputs of the regressions and the features of pairs are computed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.columns import COMPLETION
from features.movies import MOVIE
from features.plays import AGE_DAYS, VIEW, of_sums, own_sums
from model.facts.evidence import MemberEvidence
from model.prediction.prior.member_inputs import MovieColumns, join_plays
from training.data.never_rater_views import Views

Array = NDArray[np.float64]


class ShownKinds(NamedTuple):
    """Which kinds of facts V views show."""

    plays: NDArray[np.bool_]
    """(V,) whether a view shows any play."""
    attributes: NDArray[np.bool_]
    """(V,) whether a view shows any attribute."""

    def cover(self, evidence: MemberEvidence) -> NDArray[np.bool_]:
        """Return (V,) whether each view shows plays and attributes, as far as the evidence has them."""
        return np.asarray((self.plays | (not evidence.has_plays)) & (self.attributes | (not evidence.has_attributes)))


@dataclass(frozen=True)
class VisibleFacts:
    """Facts that V views show of their members."""

    plays: sparse.csr_array
    """(V, M) 1 for each visible play of a movie, in single precision."""
    own: Array
    """(V, 5) sums over the plays that don't depend on movies, as in `features.plays.OWN`."""
    attributes: NDArray[np.float32]
    """(V, A) visible attributes, NaN if unknown or hidden."""

    @property
    def play_count(self) -> NDArray[np.int64]:
        """(V,) number of visible plays."""
        return np.diff(self.plays.indptr).astype(np.int64)

    @property
    def kinds(self) -> ShownKinds:
        """Which kinds of facts each view shows."""
        return ShownKinds(np.asarray(self.play_count > 0), np.asarray(np.isfinite(self.attributes).any(axis=1)))

    def take(self, chosen: NDArray[np.int64]) -> "VisibleFacts":
        """Return the facts of the views with these numbers."""
        return VisibleFacts(self.plays[chosen], self.own[chosen], self.attributes[chosen])


def facts_of_views(views: Views, movies: int, chosen: slice) -> VisibleFacts:
    """Return the facts of a range of views; `movies` is the number of movies."""
    ends = views.plays[VIEW].search_sorted(np.array([chosen.start, chosen.stop]))
    plays = views.plays[int(ends[0]) : int(ends[1])]
    owner = plays[VIEW].to_numpy().astype(np.int64) - chosen.start
    count = chosen.stop - chosen.start
    completion, age_days = (plays[name].fill_null(float("nan")).to_numpy() for name in (COMPLETION, AGE_DAYS))
    return VisibleFacts(
        played(owner, plays[MOVIE].to_numpy(), (count, movies)),
        own_sums(completion, age_days, owner, count),
        views.attributes[chosen],
    )


def played(owner: NDArray[np.integer], movie: NDArray[np.integer], shape: tuple[int, int]) -> sparse.csr_array:
    """Return a matrix with a 1 in single precision for each play, given its (P,) row and movie."""
    ones = np.ones(len(owner), np.float32)
    return sparse.csr_array((ones, (owner.astype(np.int32), movie.astype(np.int32))), shape=shape)


class SummedColumns(NamedTuple):
    """Columns of M movies in the form in which they are summed over plays."""

    features: Array
    """(M, C) columns for features of plays, in double precision."""
    places: NDArray[np.float32]
    """(M, k + E + 1) taste factors, places in the play space, and squared weights."""
    tastes: int
    """Number k of taste factors."""

    @staticmethod
    def of(movies: MovieColumns) -> "SummedColumns":
        """Return the columns of these movies."""
        places = np.concatenate([movies.taste, movies.embedding, movies.squared_weight[:, None]], axis=1)
        return SummedColumns(movies.columns.astype(np.float64), places.astype(np.float32), movies.taste.shape[1])


def play_inputs(facts: VisibleFacts, movies: SummedColumns) -> Array:
    """Return (V, I) inputs of the regressions from the visible plays of each view."""
    # by movie, so that the sums of few views stay in the processor's cache
    sums, tastes = (facts.plays.tocsc() @ movies.places).astype(np.float64), movies.tastes
    return join_plays(
        of_sums(facts.own, facts.plays @ movies.features),
        sums[:, :tastes],
        sums[:, tastes:-1],
        sums[:, -1],
        facts.play_count,
    )
