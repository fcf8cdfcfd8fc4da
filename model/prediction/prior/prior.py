"""The prior: a rating from factors of movies and of members, which are predicted from what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from model.prediction.prior.play_probability import POPULARITY


@dataclass(frozen=True)
class Description:
    """Predicts the taste factors and quality of movies that nobody rated, by ridge regression on D inputs.

    There are K outputs. The inputs encode release year, genres and attributes.
    """

    year: Attribute
    """The release year as an attribute, with the knots of its encoding."""
    centre: NDArray[np.float64]
    """(D,) values that replace unknown inputs."""
    intercept: NDArray[np.float64]
    """(K,) outputs for a movie about which nothing is known."""
    weights: NDArray[np.float64]
    """(D, K) weights of the centred inputs."""

    def predict(
        self,
        schema: Schema,
        release_year: NDArray[np.float32],
        genres: NDArray[np.float32],
        attributes: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """Return the (N, K) taste factors and quality of N movies that nobody rated, from their descriptions.

        A description is the release year, the genres and the attributes. Unknown values are NaN.
        """
        inputs = describe(release_year, genres, attributes, self.year, schema.movie_attributes)
        known = np.nan_to_num(inputs.astype(np.float64) - self.centre)
        outputs: NDArray[np.float64] = self.intercept + (known[:, :, None] * self.weights).sum(axis=1)
        return outputs

    def predict_one(self, schema: Schema, movie: MovieFacts | None) -> NDArray[np.float64]:
        """Return the (K,) taste factors and quality of one movie that nobody rated; pass None if nothing is known."""
        if movie is None:
            return self.intercept
        year = np.array([movie.release_year], np.float32)
        return self.predict(schema, year, movie.genres[None], movie.attributes[None]).reshape(-1)


@dataclass(frozen=True)
class Taste:
    """Predicted taste and generosity of N members of whom the same kind of facts is known."""

    factors: NDArray[np.float64]
    """(N, k + 1) taste factors, then generosity (by how much the member rates above the mean) in rating points."""
    evidence: MemberEvidence
    """What the factors were predicted from: nothing, attributes, plays or both."""
    bins: NDArray[np.int64]
    """(N,) index of the bin of PLAY_BINS that holds the number of plays; 0 without plays."""
    distance: NDArray[np.float64]
    """(N,) distance of the member's inputs from the nearest landmark (a mean of raters that the regression compares
    with); 0 if nothing is known."""

    def repeat(self, counts: NDArray[np.int64]) -> "Taste":
        """Return a copy with the row of member n repeated `counts[n]` times, once for each movie to predict."""
        return Taste(
            self.factors.repeat(counts, axis=0), self.evidence, self.bins.repeat(counts), self.distance.repeat(counts)
        )


@dataclass(frozen=True)
class Prior:
    """Predicts a rating as mean + quality + generosity + dot product of the tastes of member and movie.

    There are M movies and K = k + 1 factors: k of taste, then quality of a movie or generosity of a member.
    """

    mean: float
    """Mean of all ratings."""
    columns: MovieColumns
    """Columns of the movies whose sums over a member's plays are inputs of the regressions."""
    movies: NDArray[np.float64]
    """(M, K) taste factors and quality of each movie, predicted from its description if nobody rated it."""
    description: Description
    """Regression that predicts the factors of movies without ratings."""
    average_member: NDArray[np.float64]
    """(K,) factors of a member about whom nothing is known: those of the average member."""
    heads: Mapping[MemberEvidence, KernelRegression]
    """Regression that predicts a member's factors, for each kind of evidence that has training data, except NOTHING."""
    shrinkage: Mapping[MemberEvidence, NDArray[np.float64]]
    """(bins,) shrinkage weights, 0 to 1, of the regression for each bin in PLAY_BINS, by kind of evidence with plays.
    Predictions are shrunk towards those without plays, since the regression relies too much on few plays."""
    spread: Mapping[MemberEvidence, NDArray[np.float64]]
    """(K, K) covariance of the errors of members' predicted factors, for each kind of evidence."""
    movie_variance: NDArray[np.float64]
    """(M,) variance of a typical member's rating due to the uncertainty of the movie's factors."""
    unrated_variance: Mapping[MovieEvidence, float]
    """The same variance as in `movie_variance`, for described movies and for unknown movies."""
    noise: float
    """Variance of ratings about the predictions that the true factors would make."""
    movie_noise: NDArray[np.float64]
    """(M,) the same variance for each movie's ratings."""
    rating_weights: Mapping[MemberEvidence, NDArray[np.float64]]
    """(bins, 2) shrinkage weights, 0 to 1, of the update by ratings for each bin in PLAY_BINS by number of ratings, by
    kind of evidence with ratings. They are for the shift of the factors and for the residuals of similar movies."""
    noise_spread: float = 0.0
    """Variance of the factors by which the noise of members' ratings differs, whose mean is 1."""
    play_weights: NDArray[np.float64] = field(default_factory=POPULARITY.copy)
    """(9,) weights of the logistic regression for the probability that a member has played a movie."""

    @cached_property
    def _kinds(self) -> list[MemberEvidence]:
        """Kinds of evidence that have a regression, those in which most is known first."""
        return sorted(self.heads, reverse=True)

    def usable_evidence(self, member: MemberFacts) -> MemberEvidence:
        """Return which facts of a member can be used: attributes, plays, ratings, or else NOTHING.

        Attributes and plays can be used if there is a regression that predicts taste from them, and ratings if the
        update by ratings was fitted for such members.
        """
        attributes, plays = bool(np.isfinite(member.attributes).any()), len(member.movies) > 0
        for kind in self._kinds:
            if (attributes or not kind.has_attributes) and (plays or not kind.has_plays):
                rated = kind.has_plays and len(member.ratings) > 0 and kind.with_ratings in self.rating_weights
                return kind.with_ratings if rated else kind
        return MemberEvidence.NOTHING

    def taste_of(
        self, members: Sequence[MemberFacts], evidence: MemberEvidence, code: Coder
    ) -> tuple[Taste, NDArray[np.float64] | None]:
        """Return the taste of N members predicted without their ratings, and their (N, I) inputs from plays.

        `evidence` is one kind without ratings. The inputs are those of the regression; they are None without plays. A
        member's results don't depend on the other members, not even in the last bit. `code` encodes member attributes.
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
        """Return (N, K) factors and (N,) distances from the nearest landmark of N members with the same evidence.

        The evidence is other than NOTHING. Landmarks are the means of raters that the regression compares members with.
        `inputs` (N, I) are computed from plays, `attributes` (N, W) are encoded and `plays` (N,) are numbers of plays.
        """
        known = [inputs] * evidence.has_plays + [attributes] * evidence.has_attributes
        factors, distance = self.heads[evidence].predict(np.concatenate(known, axis=1))
        if evidence.has_plays:
            share = self.shrinkage[evidence][bins_of(plays)][:, None]
            factors = share * factors + (1 - share) * self.without_plays(evidence, attributes)
        return factors, distance

    def without_plays(self, evidence: MemberEvidence, attributes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return members' (N, K) factors predicted from (N, W) encoded attributes, ignoring plays.

        Returns the (K,) factors of the average member if there are no attributes or there is no regression for them.
        """
        if evidence.has_attributes and MemberEvidence.ATTRIBUTES in self.heads:
            return self.heads[MemberEvidence.ATTRIBUTES].predict(attributes)[0]
        return self.average_member

    def _without_plays_by_row(self, evidence: MemberEvidence, attributes: NDArray[np.float64]) -> NDArray[np.float64]:
        if evidence.has_attributes and MemberEvidence.ATTRIBUTES in self.heads:
            return self.heads[MemberEvidence.ATTRIBUTES].predict_by_row(attributes)[0]
        return self.average_member

    def errors_of(
        self, rows: NDArray[np.int64], evidence: NDArray[np.int8]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the (N,) variances of the noise of ratings, and the (N,) variances due to the movies' factors.

        `rows` (N,) are the movies, and `evidence` (N,) is the MovieEvidence of each.
        """
        noise, variance = self.movie_noise[rows], self.movie_variance[rows]
        for kind, value in self.unrated_variance.items():
            noise[evidence == kind], variance[evidence == kind] = self.noise, value
        return noise, variance

    def deviation(
        self, evidence: MemberEvidence, movies: NDArray[np.float64], error: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the (N,) standard deviations of a member's ratings of N movies about the predictions.

        `movies` (N, K) are the movies' factors, and `error` (N,) are the variances if the member's factors were known.
        """
        design = movies.copy()
        design[:, -1] = 1
        members = ((design @ self.spread[evidence]) * design).sum(axis=1)
        deviation: NDArray[np.float64] = np.sqrt(error + members)
        return deviation


def prior_numbers(
    factors: NDArray[np.float64],
    movies: NDArray[np.float64],
    offset: NDArray[np.float64],
    deviation: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the (N, 4) inputs of the trees that come from the factorization, for N pairs of member and movie.

    They are its rating less the mean, the part due to taste, the member's generosity, and the standard deviation.
    `factors` of members are (N, K), or (K,) for one member, and factors of `movies` are (N, K). `offset` (N,) is added
    to the rating.
    """
    numbers = np.empty((len(movies), 4))
    numbers[:, 1] = taste = taste_part(factors, movies)
    numbers[:, 2] = generosity = factors[..., -1]
    numbers[:, 0] = taste + movies[:, -1] + generosity + offset
    numbers[:, 3] = deviation
    return numbers


def rating_of(factors: NDArray[np.float64], movies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return N ratings predicted by the factorization, less the mean and offsets, from factors of members and movies.

    Factors of movies are (N, K), those of members (N, K), or (K,) for one member.
    """
    return taste_part(factors, movies) + movies[..., -1] + factors[..., -1]


def taste_part(factors: NDArray[np.float64], movies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how many rating points N members' taste fits N movies: the dot products of their taste factors."""
    size = movies.shape[-1] - 1
    fit: NDArray[np.float64] = (movies[..., :size] * factors[..., :size]).sum(axis=-1)
    return fit
