"""The model as it is served: predictions and explanations, given facts about members and movies."""

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
from model.prediction.calibration import Calibration, Reading
from model.prediction.drift_reference import Reference
from model.prediction.explanation import prior_parts, tree_parts
from model.prediction.movie_targets import Movie, MovieView, Offsets, Targets
from model.prediction.pair_columns import MemberColumns, PairColumns, feature_names
from model.prediction.predictions import Explanation, Part, Predictions
from model.prediction.prior.prior import Prior, Taste, prior_numbers
from model.prediction.trees import Trees, highest_corrections

Stage = Callable[[str], None]
"""Callback for the end of each stage of a prediction; its argument is the name of the stage."""
STAGES = ("features", "prior", "trees", "interval")


LIKELY = 100
"""To find the n best movies, 4 n + LIKELY movies are predicted first. Their ratings bound those of the n best."""
ROUNDING = 1e-9
"""Tolerance that exceeds the rounding differences between sums in different orders."""
NO_ROW = -1
"""Row number of movies outside the catalogue."""


def ignore(_: str) -> None:
    """A stage callback that does nothing."""


@dataclass(frozen=True)
class State:
    """Intermediate results for N members of one kind of evidence, which don't depend on the movies."""

    taste: Taste
    """Predicted factors of the members."""
    members: Members
    """Columns of the members from which the tree features are computed."""
    extrapolation: NDArray[np.float64]
    """(N,) share, 0 to 1, of raters who are nearer to a landmark of the regression than the member."""
    reading: Reading
    """Look-up of intervals and probabilities."""

    def repeat(self, counts: NDArray[np.int64]) -> "State":
        """Return a copy in which the row of each member is repeated; `counts` (N,) has the numbers of repetitions."""
        return State(
            self.taste.repeat(counts),
            self.members.repeat(counts),
            self.extrapolation.repeat(counts),
            self.reading.repeat(counts),
        )


class Rows(NamedTuple):
    """A request for predictions of movies in the catalogue that the member hasn't played."""

    member: MemberFacts
    rows: NDArray[np.int64]
    """(N,) rows of the catalogue; at least one."""


@dataclass(frozen=True)
class Model:
    """One version of the model, safe to use from several threads."""

    version: str
    """First 12 hexadecimal digits of the manifest's sha256."""
    schema: Schema
    """Rating scale, attributes and genres."""
    manifest: Manifest
    """Data, seed, libraries and scores of the model."""
    run: Run
    """Time and duration of the training run."""
    members: MemberTable
    """Facts about the published members, by id."""
    catalogue: Catalogue
    """Movies and their descriptions, by id."""
    prior: Prior
    """The factorization prior."""
    offsets: Mapping[MemberEvidence, Offsets]
    """Offsets of the movies' ratings from the prior, by kind of member evidence."""
    pairs: PairColumns
    """Columns of the movies from which the tree features are computed."""
    trees: Trees
    """The trees that correct the prior."""
    calibration: Calibration
    """Calibrated intervals and probabilities."""
    reference: Reference
    """Reference histograms for drift detection."""

    @cached_property
    def feature_names(self) -> list[str]:
        """Names of the tree features, in their order."""
        return feature_names(self.schema, self.pairs.grouped)

    @cached_property
    def _code(self) -> Coder:
        """Encoder of member attributes."""
        return Coder(self.schema.member_attributes)

    @cached_property
    def member_columns(self) -> MemberColumns:
        """Object that computes the columns of members from which the tree features are computed."""
        return MemberColumns(self.schema, self.prior.columns, self.pairs.grouped)

    @cached_property
    def view(self) -> MovieView:
        """The movies as targets of predictions, with the arrays that depend only on the catalogue."""
        return MovieView(self.schema, self.catalogue, self.prior, self.pairs, self.offsets)

    def predict(self, member: MemberFacts, movies: Sequence[Movie], finished: Stage = ignore) -> Predictions:
        """Return predictions of the movies for one member, in the order of `movies`.

        A movie that the member has played is predicted as if the member had not played it. `finished` is called with
        the name of each stage that ends. Raises ValueError if `movies` is empty.
        """
        state = self.state_of(member)
        finished("features")
        rows = np.array([movie if isinstance(movie, int) else NO_ROW for movie in movies], np.int64)
        played = member.has_played(rows)
        if not played.any():
            evidence = state.taste.evidence
            all_known = rows.min() > NO_ROW
            bins = state.taste.bins
            targets = self.view.of_rows(rows, evidence, bins) if all_known else self.view.of(movies, evidence, bins)
            return self._predict(state, targets, finished)
        parts = []
        for movie, was_played in zip(movies, played, strict=True):
            own = self.state_of(member.without(movie)) if was_played and isinstance(movie, int) else state
            parts.append(self._predict(own, self.view.of([movie], own.taste.evidence, own.taste.bins), finished))
        return Predictions.join(parts, state.taste.evidence)

    def predict_together(self, requests: Sequence[Rows], finished: Stage = ignore) -> list[Predictions]:
        """Return predictions for each request, bit for bit equal to those of `predict`.

        The requests are computed in batches, one for each kind of member evidence. For small requests, this takes two
        thirds of the time of separate calls of `predict`.
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
            targets = self.view.of_rows(np.concatenate(rows), kind, state.taste.bins)
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
        """Return catalogue rows in order of predicted rating, best first, and their predictions.

        Movies that the member has played are left out, and ties are in row order. `allowed` (M,) is a mask of the
        catalogue; None allows all movies. If `most` is given, only the first `most` movies of the ranking are returned.
        They are found without predicting every movie: movies that the trees can't raise far enough are skipped.
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
        """Return the rows of all movies that may be among the `most` best, in the order of `rows`."""
        likely_count = 4 * most + LIKELY
        if likely_count >= len(rows):
            return rows
        taste, evidence = state.taste, state.taste.evidence
        numbers = prior_numbers(taste.factors, *self.view.prior_of_rows(rows, evidence, taste.bins))
        prior = self.prior.mean + numbers[:, 0]
        weight = self.trees.weights.get(evidence, 0.0)
        highest = self.schema.scale.cut(prior + weight * self._highest_corrections[rows] + ROUNDING)
        likely = rows[np.argpartition(-highest, likely_count)[:likely_count]]
        targets = self.view.of_rows(likely, evidence, taste.bins)
        _, rating = self._rate(taste.factors, state.members, evidence, targets, ignore)
        least = np.partition(rating, -most)[-most]
        candidates: NDArray[np.int64] = rows[highest >= least]
        return candidates

    @cached_property
    def _highest_corrections(self) -> NDArray[np.float64]:
        """(M,) upper bound of the forest's prediction for each movie of the catalogue, before shrinkage."""
        if self.trees.booster is None:
            return np.zeros(len(self.catalogue))
        features = self.view.ready.features
        alone = of_movies_alone(len(self.pairs.grouped), features.shape[1])
        return highest_corrections(self.trees.booster, features, alone)

    def features(self, member: MemberFacts, movies: Sequence[Movie]) -> NDArray[np.float32]:
        """Return the (N, F) tree features of the member and each movie, in the order of `feature_names`."""
        state = self.state_of(member)
        targets = self.view.of(movies, state.taste.evidence, state.taste.bins)
        return self._features(state.taste.factors, state.members, targets)[1]

    def explain(self, member: MemberFacts, movie: Movie) -> Explanation:
        """Return one prediction and the contributions of groups of facts, which add up to the unclipped rating."""
        evidence = self.prior.usable_evidence(member)
        if isinstance(movie, int):
            member = member.without(movie)
        state = self.state_of(member)
        without_plays = self.state_of(member.without_plays()).taste
        targets = self.view.of([movie], state.taste.evidence, state.taste.bins)
        parts = prior_parts(self.prior, state.taste, without_plays, targets)
        features = self._features(state.taste.factors, state.members, targets)[1]
        contributions = self.trees.contributions(features, state.taste.evidence)[0]
        parts = parts | tree_parts(self.feature_names, contributions)
        return Explanation(
            replace(self._predict(state, targets, ignore), member_evidence=evidence),
            sum(parts.values()),
            tuple(Part(group, rating) for group, rating in parts.items()),
        )

    def state_of(self, member: MemberFacts) -> State:
        """Return the intermediate results for one member, computed from all usable facts."""
        return self._state_of([member], self.prior.usable_evidence(member))

    def _state_of(self, members: Sequence[MemberFacts], evidence: MemberEvidence) -> State:
        """Return the intermediate results for members with the same evidence; each row is independent of the others."""
        taste, inputs = self.prior.taste_of(members, evidence, self._code)
        plays = np.array([len(member.movies) if evidence.has_plays else 0 for member in members])
        attributes = np.stack([member.attributes for member in members])
        extrapolation = self.calibration.extrapolation(taste.distance, evidence)
        return State(
            taste,
            self.member_columns.of_kind(evidence, inputs, plays, attributes),
            extrapolation,
            self.calibration.reading(evidence, plays, extrapolation),
        )

    def _features(
        self, factors: NDArray[np.float64], members: Members, targets: Targets
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return (N,) ratings by the prior alone, and (N, F) tree features."""
        numbers = prior_numbers(factors, targets.factors, targets.offset, targets.deviation)
        return self.prior.mean + numbers[:, 0], pair_features(members, targets.columns, numbers)

    def _rate(
        self,
        factors: NDArray[np.float64],
        members: Members,
        evidence: MemberEvidence,
        targets: Targets,
        finished: Stage,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (N,) ratings by the prior alone, and (N,) corrected ratings, clipped to the scale.

        `factors` is (N, K), one row for each movie, or (1, K) for one member.
        """
        prior, features = self._features(factors, members, targets)
        finished("prior")
        rating = self.schema.scale.cut(prior + self.trees.corrections(features, evidence))
        finished("trees")
        return prior, rating

    def _predict(self, state: State, targets: Targets, finished: Stage) -> Predictions:
        evidence = state.taste.evidence
        prior, rating = self._rate(state.taste.factors, state.members, evidence, targets, finished)
        lower, upper, probability = state.reading(rating, targets.deviation, targets.evidence, self.schema.scale)
        predictions = Predictions(
            rating=rating,
            lower=lower,
            upper=upper,
            probability_enjoyed=probability,
            prior_rating=self.schema.scale.cut(prior),
            movie_evidence=targets.evidence,
            extrapolation=np.broadcast_to(state.extrapolation, rating.shape),
            member_evidence=evidence,
        )
        finished("interval")
        return predictions
