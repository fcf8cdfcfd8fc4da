"""The factorization prior: factors of movies, and of members from what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.attributes import Coder
from features.movies import describe
from features.schema import Attribute, Schema
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts, MovieFacts
from model.prediction.calibration import bins_of
from model.prediction.prior.kernel_regression import KernelRegression
from model.prediction.prior.member_inputs import MovieColumns


@dataclass(frozen=True)
class Description:
    """Factors of movies that nobody rated, from year, genres and attributes: a ridge; D inputs, K outputs."""

    year: Attribute
    """How the release year is encoded."""
    centre: NDArray[np.float64]
    """(D,) what an unknown input counts as."""
    intercept: NDArray[np.float64]
    """(K,) factors of a movie of which nothing is known."""
    weights: NDArray[np.float64]
    """(D, K)"""

    def predict(
        self,
        schema: Schema,
        release_year: NDArray[np.float32],
        genres: NDArray[np.float32],
        attributes: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """(N, K) outputs for N descriptions."""
        inputs = describe(release_year, genres, attributes, self.year, schema.movie_attributes)
        known = np.nan_to_num(inputs.astype(np.float64) - self.centre)
        outputs: NDArray[np.float64] = self.intercept + (known[:, :, None] * self.weights).sum(axis=1)
        return outputs

    def predict_one(self, schema: Schema, movie: MovieFacts | None) -> NDArray[np.float64]:
        """(K,) outputs for one description, or for a movie of which nothing is known."""
        if movie is None:
            return self.intercept
        year = np.array([movie.release_year], np.float32)
        return self.predict(schema, year, movie.genres[None], movie.attributes[None]).reshape(-1)


@dataclass(frozen=True)
class Taste:
    """Predicted factors of N members of one kind of evidence: k of taste, and generosity."""

    factors: NDArray[np.float64]
    """(N, k + 1) taste, then generosity in rating points."""
    evidence: MemberEvidence
    """What it was predicted from."""
    bins: NDArray[np.int64]
    """(N,) bin of PLAY_BINS for the number of plays; 0 without plays."""
    distance: NDArray[np.float64]
    """(N,) distance of the member's inputs from the nearest landmark of the regression; 0 with nothing known."""

    def repeat(self, counts: NDArray[np.int64]) -> "Taste":
        """Repeat the row of each member by its (N,) count."""
        return Taste(
            self.factors.repeat(counts, axis=0), self.evidence, self.bins.repeat(counts), self.distance.repeat(counts)
        )


@dataclass(frozen=True)
class Prior:
    """Ratings as mean + quality + generosity + taste.taste; M movies, K = k + 1 factors."""

    mean: float
    """Mean of all ratings."""
    columns: MovieColumns
    """Columns of the movies that are summed over a member's plays."""
    movies: NDArray[np.float64]
    """(M, K) taste and quality of each movie; from the description where nobody rated it."""
    description: Description
    """For movies that nobody rated."""
    average_member: NDArray[np.float64]
    """(K,) factors of a member of whom nothing is known."""
    heads: Mapping[MemberEvidence, KernelRegression]
    """The regression from inputs to factors for each kind of evidence with training data, but NOTHING."""
    shrinkage: Mapping[MemberEvidence, NDArray[np.float64]]
    """(bins,) for each kind of evidence with plays, the shrinkage weight, 0 to 1, of its regression at each number of
    plays (PLAY_BINS); the rest is the prediction without plays, since few plays say less than the regression takes."""
    spread: Mapping[MemberEvidence, NDArray[np.float64]]
    """(K, K) covariance of the errors of members' predicted factors, for each kind of evidence."""
    movie_variance: NDArray[np.float64]
    """(M,) variance of a typical member's rating due to the uncertainty of the movie's factors."""
    unrated_variance: Mapping[MovieEvidence, float]
    """The same for movies that are only described, and for unknown ones."""
    noise: float
    """Variance of a rating about the one that the true factors give."""

    @cached_property
    def _kinds(self) -> list[MemberEvidence]:
        """Kinds of evidence with a regression, most evidence first."""
        return sorted(self.heads, reverse=True)

    def usable_evidence(self, member: MemberFacts) -> MemberEvidence:
        """The kind of evidence with a regression that uses most of a member's facts."""
        attributes, plays = bool(np.isfinite(member.attributes).any()), len(member.movies) > 0
        for kind in self._kinds:
            if (attributes or not kind.has_attributes) and (plays or not kind.has_plays):
                return kind
        return MemberEvidence.NOTHING

    def taste_of(
        self, members: Sequence[MemberFacts], evidence: MemberEvidence, code: Coder
    ) -> tuple[Taste, NDArray[np.float64] | None]:
        """The predicted factors of N members of that usable evidence, and (N, I) inputs from plays, None without plays.

        They are bit by bit the same for a member whatever the other members are. `code` encodes member attributes.
        """
        if evidence is MemberEvidence.NOTHING:
            average = self.average_member[None].repeat(len(members), axis=0)
            return Taste(average, evidence, np.zeros(len(members), np.int64), np.zeros(len(members))), None
        inputs = self.columns.of_plays(members) if evidence.has_plays else None
        parts = [] if inputs is None else [inputs]
        if evidence.has_attributes:
            parts.append(code(np.stack([member.attributes for member in members])).astype(np.float64))
        factors, distance = self.heads[evidence].predict_by_row(np.concatenate(parts, axis=1))
        bins = np.zeros(len(members), np.int64)
        if evidence.has_plays:
            bins = bins_of(np.array([len(member.movies) for member in members]))
            share = self.shrinkage[evidence][bins]
            partly = np.flatnonzero(share < 1)
            if len(partly):
                part, bare = share[partly][:, None], self._without_plays_by_row(evidence, parts[-1][partly])
                factors[partly] = part * factors[partly] + (1 - part) * bare
        return Taste(factors, evidence, bins, distance), inputs

    def predict(
        self,
        evidence: MemberEvidence,
        inputs: NDArray[np.float64],
        attributes: NDArray[np.float64],
        plays: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) factors and (N,) distances of members of one kind of evidence other than NOTHING.

        `inputs` is (N, I), from (N,) numbers of `plays`; `attributes` is (N, W), encoded.
        """
        known = [inputs] * evidence.has_plays + [attributes] * evidence.has_attributes
        factors, distance = self.heads[evidence].predict(np.concatenate(known, axis=1))
        if evidence.has_plays:
            share = self.shrinkage[evidence][bins_of(plays)][:, None]
            factors = share * factors + (1 - share) * self.without_plays(evidence, attributes)
        return factors, distance

    def without_plays(self, evidence: MemberEvidence, attributes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, K) factors from (N, W) encoded attributes, or (K,) of the average member without such evidence."""
        if evidence.has_attributes and MemberEvidence.ATTRIBUTES in self.heads:
            return self.heads[MemberEvidence.ATTRIBUTES].predict(attributes)[0]
        return self.average_member

    def _without_plays_by_row(self, evidence: MemberEvidence, attributes: NDArray[np.float64]) -> NDArray[np.float64]:
        if evidence.has_attributes and MemberEvidence.ATTRIBUTES in self.heads:
            return self.heads[MemberEvidence.ATTRIBUTES].predict_by_row(attributes)[0]
        return self.average_member

    def deviation(
        self, evidence: MemberEvidence, movies: NDArray[np.float64], variance: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(N,) standard deviation of a rating about its prediction, for (N, K) movies of that variance (N,)."""
        design = movies.copy()
        design[:, -1] = 1
        members = ((design @ self.spread[evidence]) * design).sum(axis=1)
        deviation: NDArray[np.float64] = np.sqrt(self.noise + variance + members)
        return deviation


def prior_numbers(
    factors: NDArray[np.float64],
    movies: NDArray[np.float64],
    offset: NDArray[np.float64],
    deviation: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(N, 4) features of the prior for the trees: rating less mean, its taste part, generosity, standard deviation.

    `factors` is (N, K) or (K,), `movies` (N, K), `offset` (N,) is added to the prior's rating.
    """
    numbers = np.empty((len(movies), 4))
    numbers[:, 1] = taste = taste_part(factors, movies)
    numbers[:, 2] = generosity = factors[..., -1]
    numbers[:, 0] = taste + movies[:, -1] + generosity + offset
    numbers[:, 3] = deviation
    return numbers


def rating_of(factors: NDArray[np.float64], movies: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) rating less mean, for (N, K) or (K,) factors of members and (N, K) of movies."""
    return taste_part(factors, movies) + movies[..., -1] + factors[..., -1]


def taste_part(factors: NDArray[np.float64], movies: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) dot products of the taste of movies and members, in rating points."""
    size = movies.shape[-1] - 1
    fit: NDArray[np.float64] = (movies[..., :size] * factors[..., :size]).sum(axis=-1)
    return fit
