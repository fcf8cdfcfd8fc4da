"""The model as it is served: predictions, rankings and explanations from what is known of members and movies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.attributes import Coder
from features.pair_features import Members, of_movies_alone, pair_features
from features.schema import Schema
from model.facts.catalogue import Catalogue
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts
from model.facts.member_table import MemberTable
from model.files.manifest import Manifest, Run
from model.prediction.calibration import Calibration, Reading, bins_of
from model.prediction.drift_reference import Reference
from model.prediction.explanation import prior_parts, tree_parts
from model.prediction.movie_targets import Movie, MovieView, Offsets, Targets
from model.prediction.pair_columns import MemberColumns, PairColumns, feature_names
from model.prediction.predictions import Explanation, Part, Predictions
from model.prediction.prior.prior import Prior, Taste, prior_numbers, rating_of
from model.prediction.prior.rating_update import FactorErrors, Movies, Rated, RatingUpdate, update_by_ratings
from model.prediction.trees import Trees, highest_corrections

Stage = Callable[[str], None]
"""Function that is called at the end of each stage of a prediction, with the stage's name, for measuring its time."""
STAGES = ("features", "prior", "trees", "interval")


LIKELY = 100
"""To find the n best movies, 4 n + LIKELY movies are predicted first. Their ratings are a lower bound for those of the
n best."""
ROUNDING = 1e-9
"""Tolerance that exceeds the rounding differences between sums in different orders."""
NO_ROW = -1
"""Row number of movies outside the catalogue."""


def ignore(_: str) -> None:
    """A function for the end of a stage that does nothing."""


@dataclass(frozen=True)
class State:
    """What is computed once for N members and reused for every movie, such as their predicted taste.

    The members have one kind of evidence: the same is known of all.
    """

    evidence: MemberEvidence
    """What is known of the members, with or without ratings."""
    taste: Taste
    """Taste and generosity of the members, predicted without their ratings."""
    update: RatingUpdate | None
    """What the members' ratings change in predictions; None for evidence without ratings."""
    members: Members
    """Columns of the members from which the inputs of the trees are computed."""
    extrapolation: NDArray[np.float64]
    """(N,) how unusual each member is: the share of raters, 0 to 1, nearer to a landmark (a mean of raters that the
    regression compares members with)."""
    reading: Reading
    """Finds the intervals and probabilities of the members' predictions in the tables."""

    def updated(self, prior: NDArray[np.float64], targets: Targets) -> NDArray[np.float64]:
        """Return (N,) ratings by the factorization, updated by the members' ratings."""
        return prior if self.update is None else prior + self.update.rating(_movies(targets))

    def deviation(self, targets: Targets) -> NDArray[np.float64]:
        """Return the (N,) standard deviations of ratings about their predictions."""
        return targets.deviation if self.update is None else self.update.deviation(targets.deviation, _movies(targets))

    def repeat(self, counts: NDArray[np.int64]) -> "State":
        """Return a copy with the row of member n repeated `counts[n]` times, once for each movie to predict."""
        return State(
            self.evidence,
            self.taste.repeat(counts),
            None if self.update is None else self.update.repeat(counts),
            self.members.repeat(counts),
            self.extrapolation.repeat(counts),
            self.reading.repeat(counts),
        )


class Rows(NamedTuple):
    """A request for predictions of catalogue movies, none of which the member has played or rated."""

    member: MemberFacts
    rows: NDArray[np.int64]
    """(N,) rows of the catalogue; at least one."""


@dataclass(frozen=True)
class Model:
    """One published model, which predicts, ranks and explains; safe to use from several threads."""

    version: str
    """Name of the published model: first 12 hexadecimal digits of the manifest's sha256."""
    schema: Schema
    """Rating scale, attributes and genres."""
    manifest: Manifest
    """Data, seed, libraries and scores of the model."""
    run: Run
    """Time and duration of the training run."""
    members: MemberTable
    """Facts of the published members, by id."""
    catalogue: Catalogue
    """Movies with year, genres and attributes, by id."""
    prior: Prior
    """The factorization, which gives the rating before the trees correct it."""
    offsets: Mapping[MemberEvidence, Offsets]
    """What is added to each movie's rating from the factorization, by what is known of the member."""
    pairs: PairColumns
    """Columns of the movies from which the inputs of the trees are computed."""
    trees: Trees
    """The trees that correct the ratings from the factorization."""
    calibration: Calibration
    """Intervals and probabilities for predicted ratings."""
    reference: Reference
    """Histograms of raters, with which the service compares requests to detect drift."""

    @cached_property
    def feature_names(self) -> list[str]:
        """Names of the inputs of the trees, in their order."""
        return feature_names(self.schema, self.pairs.grouped)

    @cached_property
    def _code(self) -> Coder:
        """Encoder of member attributes."""
        return Coder(self.schema.member_attributes)

    @cached_property
    def _factor_errors(self) -> dict[MemberEvidence, FactorErrors]:
        """Distribution of the errors of members' predicted factors, by kind of evidence without ratings."""
        prior = self.prior
        return {kind: FactorErrors.of(covariance, prior.noise_spread) for kind, covariance in prior.spread.items()}

    @cached_property
    def member_columns(self) -> MemberColumns:
        """Computes the columns of members from which the inputs of the trees are computed."""
        return MemberColumns(self.schema, self.prior.columns, self.pairs.grouped)

    @cached_property
    def view(self) -> MovieView:
        """The movies with everything about them that predictions need, computed once from the catalogue."""
        return MovieView(self.schema, self.catalogue, self.prior, self.pairs, self.offsets)

    def predict(self, member: MemberFacts, movies: Sequence[Movie], finished: Stage = ignore) -> Predictions:
        """Return predictions of the movies for one member, in the order of `movies`.

        A movie that the member has played or rated is predicted as if the member had done neither. `finished` is called
        with the name of each stage that ends. Raises ValueError if `movies` is empty.
        """
        state = self.state_of(member)
        finished("features")
        rows = np.array([movie if isinstance(movie, int) else NO_ROW for movie in movies], np.int64)
        evidence, bins = state.taste.evidence, state.taste.bins
        all_known = rows.min() > NO_ROW
        targets = self.view.of_rows(rows, evidence, bins) if all_known else self.view.of(movies, evidence, bins)
        predictions = self._predict(state, targets, finished)
        played = np.flatnonzero(member.has_played(rows))
        if not len(played):
            return predictions
        as_unplayed = [Rows(member.without(row), np.array([row])) for row in rows[played].tolist()]
        order = np.arange(len(rows))
        order[played] = len(rows) + np.arange(len(played))
        parts = [predictions, *self.predict_together(as_unplayed)]  # without `finished`: each stage ends once
        return Predictions.join(parts, state.evidence).take(order)

    def predict_together(self, requests: Sequence[Rows], finished: Stage = ignore) -> list[Predictions]:
        """Return the predictions for each of several requests, bit for bit equal to those of `predict`.

        The requests are computed in batches, one for each kind of evidence (what is known of the members). For small
        requests, this takes two thirds of the time of separate calls of `predict`.
        """
        of_kind: dict[MemberEvidence, list[int]] = {}
        for place, request in enumerate(requests):
            of_kind.setdefault(self.prior.usable_evidence(request.member), []).append(place)
        states = {
            kind: self._state_of([requests[place].member for place in places], kind) for kind, places in of_kind.items()
        }
        finished("features")
        of_request: dict[int, Predictions] = {}
        for kind, places in of_kind.items():
            rows = [requests[place].rows for place in places]
            counts = np.array([len(own) for own in rows])
            state = states[kind] if len(rows) == 1 else states[kind].repeat(counts)
            targets = self.view.of_rows(np.concatenate(rows), state.taste.evidence, state.taste.bins)
            predictions = self._predict(state, targets, finished)
            ends = np.cumsum(counts).tolist()
            for place, start, end in zip(places, [0, *ends], ends, strict=False):
                of_request[place] = predictions.part(start, end)
        return [of_request[place] for place in range(len(requests))]

    def rank(
        self,
        member: MemberFacts,
        allowed: NDArray[np.bool_] | None = None,
        finished: Stage = ignore,
        most: int | None = None,
    ) -> tuple[NDArray[np.int32], Predictions]:
        """Return the movies in order of a member's predicted rating, best first: catalogue rows and predictions.

        Movies that the member has played or rated are left out, and ties are in row order. `allowed` (M,) is a mask of
        the catalogue; None allows all movies. If `most` is given, only the first `most` movies of the ranking are
        returned. They are found without predicting every movie: movies that the trees can't raise far enough are
        skipped.
        """
        chosen = np.ones(len(self.catalogue), bool) if allowed is None else allowed.copy()
        chosen[member.movies] = False
        rows = np.flatnonzero(chosen)
        state = self.state_of(member)
        finished("features")
        if most is not None:
            rows = self._candidates(state, rows, most)
        predictions = self._predict(state, self.view.of_rows(rows, state.taste.evidence, state.taste.bins), finished)
        order = np.argsort(-predictions.rating, kind="stable")[:most]
        return rows[order].astype(np.int32), predictions.take(order)

    def _candidates(self, state: State, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """Return the rows of all movies that may be among the member's `most` best, in the order of `rows`."""
        likely_count = 4 * most + LIKELY
        if likely_count >= len(rows):
            return rows
        taste, evidence = state.taste, state.taste.evidence
        prior = self.view.prior_of_all(taste.factors[0], evidence, int(taste.bins[0]))
        if state.update is not None:
            prior = prior + state.update.rating(
                Movies(self.prior.movies, self.view.ready.direction, self.view.noise, self.view.variance)
            )
        weight = self.trees.weights.get(evidence, 0.0)
        highest = self.schema.scale.cut(prior + weight * self._highest_corrections + ROUNDING)[rows]
        likely = rows[np.argpartition(-highest, likely_count)[:likely_count]]
        targets = self.view.of_rows(likely, evidence, taste.bins)
        _, rating = self._rate(state, targets, ignore)
        least = np.partition(rating, -most)[-most]
        candidates: NDArray[np.int64] = rows[highest >= least]
        return candidates

    @cached_property
    def _highest_corrections(self) -> NDArray[np.float64]:
        """(M,) the most that the trees can add to the rating of each movie, before their correction is shrunk."""
        if self.trees.booster is None:
            return np.zeros(len(self.catalogue))
        features = self.view.ready.features
        alone = of_movies_alone(len(self.pairs.grouped), features.shape[1])
        return highest_corrections(self.trees.booster, features, alone)

    def features(self, member: MemberFacts, movies: Sequence[Movie]) -> NDArray[np.float32]:
        """Return the (N, F) inputs of the trees for a member and each of N movies, in the order of `feature_names`."""
        state = self.state_of(member)
        targets = self.view.of(movies, state.taste.evidence, state.taste.bins)
        return self._features(state.taste.factors, state.members, targets)[1]

    def explain(self, member: MemberFacts, movie: Movie) -> Explanation:
        """Return the prediction of a movie's rating and the contribution of each group of facts to it.

        The contributions add up to the rating before it is clipped to the scale. A play or rating of the movie itself
        is ignored.
        """
        evidence = self.prior.usable_evidence(member)
        if isinstance(movie, int):
            member = member.without(movie)
        state = self.state_of(member)
        without_plays = self.state_of(member.without_plays()).taste
        targets = self.view.of([movie], state.taste.evidence, state.taste.bins)
        parts = prior_parts(self.prior, state.taste, without_plays, targets)
        parts["taste_from_ratings"] = 0.0 if state.update is None else float(state.update.rating(_movies(targets))[0])
        features = self._features(state.taste.factors, state.members, targets)[1]
        contributions = self.trees.contributions(features, state.taste.evidence)[0]
        parts = parts | tree_parts(self.feature_names, contributions)
        return Explanation(
            replace(self._predict(state, targets, ignore), member_evidence=evidence),
            sum(parts.values()),
            tuple(Part(group, rating) for group, rating in parts.items()),
        )

    def state_of(self, member: MemberFacts) -> State:
        """Return what predictions of any movie need of one member, from all that is known of the member."""
        return self._state_of([member], self.prior.usable_evidence(member))

    def _state_of(self, members: Sequence[MemberFacts], evidence: MemberEvidence) -> State:
        """Return what predictions of any movie need of members of one kind of evidence.

        Each member's results are independent of the others.
        """
        without_ratings = evidence.without_ratings
        taste, inputs = self.prior.taste_of(members, without_ratings, self._code)
        plays = np.array([len(member.movies) if evidence.has_plays else 0 for member in members])
        counts = np.array([len(member.ratings) for member in members]) if evidence.has_ratings else plays
        attributes = np.stack([member.attributes for member in members])
        extrapolation = self.calibration.extrapolation(taste.distance, without_ratings)
        return State(
            evidence,
            taste,
            self._update(members, taste, self.prior.rating_weights[evidence][bins_of(counts)])
            if evidence.has_ratings
            else None,
            self.member_columns.of_kind(without_ratings, inputs, plays, attributes),
            extrapolation,
            self.calibration.reading(evidence, counts, extrapolation),
        )

    def _update(self, members: Sequence[MemberFacts], taste: Taste, weights: NDArray[np.float64]) -> RatingUpdate:
        """Return what the members' ratings change in predictions; `weights` (N, 2) are shrinkage weights."""
        counts = np.array([len(member.ratings) for member in members])
        rows = np.concatenate([member.ratings.movies for member in members]).astype(np.int64)
        factors, offset, _ = self.view.prior_of_rows(rows, taste.evidence, taste.bins.repeat(counts))
        predicted = self.prior.mean + rating_of(taste.factors.repeat(counts, axis=0), factors) + offset
        residual = np.concatenate([member.ratings.values for member in members]) - predicted
        view = self.view
        movies = Movies(
            factors, view.ready.direction.take(rows, axis=0), view.noise.take(rows), view.variance.take(rows)
        )
        return update_by_ratings(self._factor_errors[taste.evidence], Rated(movies, residual), counts, weights)

    def _features(
        self, factors: NDArray[np.float64], members: Members, targets: Targets
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return (N,) ratings by the factorization alone, and the (N, F) inputs of the trees."""
        numbers = prior_numbers(factors, targets.factors, targets.offset, targets.deviation)
        return self.prior.mean + numbers[:, 0], pair_features(members, targets.columns, numbers)

    def _rate(self, state: State, targets: Targets, finished: Stage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (N,) ratings by the factorization alone, and (N,) ratings corrected by trees, clipped to the scale.

        The state has one row for each movie, or is that of one member. The trees see neither ratings nor what these
        change.
        """
        prior, features = self._features(state.taste.factors, state.members, targets)
        prior = state.updated(prior, targets)
        finished("prior")
        rating = self.schema.scale.cut(prior + self.trees.corrections(features, state.taste.evidence))
        finished("trees")
        return prior, rating

    def _predict(self, state: State, targets: Targets, finished: Stage) -> Predictions:
        prior, rating = self._rate(state, targets, finished)
        lower, upper, probability = state.reading(rating, state.deviation(targets), targets.evidence, self.schema.scale)
        predictions = Predictions(
            rating=rating,
            lower=lower,
            upper=upper,
            probability_enjoyed=probability,
            prior_rating=self.schema.scale.cut(prior),
            movie_evidence=targets.evidence,
            extrapolation=np.broadcast_to(state.extrapolation, rating.shape),
            member_evidence=state.evidence,
        )
        finished("interval")
        return predictions


def _movies(targets: Targets) -> Movies:
    """Return what the update by ratings needs of movies to predict."""
    return Movies(targets.factors, targets.columns.direction, targets.noise, targets.variance)
