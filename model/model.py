"""The served model: facts in, predictions out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.pairs import Members, pair_features
from features.schema import Schema
from model.calibration import Calibration, Reading
from model.catalogue import Catalogue
from model.evidence import MemberEvidence
from model.explanation import prior_parts, tree_parts
from model.facts import MemberFacts
from model.manifest import Manifest, Run
from model.members import MemberTable
from model.pairs import PairColumns, feature_names, member_of
from model.predictions import Explanation, Part, Predictions
from model.prior import Prior, Taste, prior_numbers, rating_of
from model.targets import Movie, MovieView, Offsets, Targets
from model.trees import Trees

Stage = Callable[[str], None]
"""Told the name of each stage of a prediction as it ends."""
STAGES = ("features", "prior", "trees", "interval")


def ignore(_: str) -> None:
    """The stage callback of those who don't measure."""


@dataclass(frozen=True)
class State:
    """What is worked out of a member once, whatever movies are asked for."""

    taste: Taste
    """Predicted factors."""
    members: Members
    """One row for the trees."""
    extrapolation: float
    """0 to 1: share of raters who lie nearer to those that the model learned from."""
    reading: Reading
    """What its predictions mean."""


@dataclass(frozen=True)
class Model:
    """All that one version of the model knows; safe to use from many threads."""

    version: str
    """First 12 hex digits of the manifest's sha256."""
    schema: Schema
    """What the columns mean."""
    manifest: Manifest
    """Where the model comes from."""
    run: Run
    """When it was made."""
    members: MemberTable
    """Members by id."""
    catalogue: Catalogue
    """Movies by id."""
    prior: Prior
    """The factorization."""
    offsets: Mapping[MemberEvidence, Offsets]
    """What movies' ratings lie above the prior."""
    pairs: PairColumns
    """Movies as the trees see them."""
    trees: Trees
    """The corrections."""
    calibration: Calibration
    """Intervals and probabilities."""

    @cached_property
    def feature_names(self) -> list[str]:
        """Names of the trees' features."""
        return feature_names(self.schema, self.pairs.grouped)

    @cached_property
    def view(self) -> MovieView:
        """Movies as targets."""
        return MovieView(self.schema, self.catalogue, self.prior, self.pairs, self.offsets)

    def predict(self, member: MemberFacts, movies: Sequence[Movie], finished: Stage = ignore) -> Predictions:
        """Predictions of movies in their order; a movie among the plays is answered as if it had not been played.

        Raises ValueError for no movies.
        """
        state = self.state_of(member)
        finished("features")
        played = np.isin([movie if isinstance(movie, int) else -1 for movie in movies], member.movies)
        if not played.any():
            return self._predict(state, self.view.of(movies, state.taste.evidence), finished)
        parts = []
        for movie, was_played in zip(movies, played, strict=True):
            one = self.state_of(member.without(movie)) if was_played and isinstance(movie, int) else state
            parts.append(self._predict(one, self.view.of([movie], one.taste.evidence), finished))
        return Predictions.join(parts, state.taste.evidence)

    def rank(
        self, member: MemberFacts, allowed: NDArray[np.bool_] | None = None, finished: Stage = ignore
    ) -> tuple[NDArray[np.int32], Predictions]:
        """Rows of the catalogue best first, played ones left out, with predictions; equal ones in row order.

        `allowed` (M,) masks the catalogue.
        """
        chosen = np.ones(len(self.catalogue), bool) if allowed is None else allowed.copy()
        chosen[member.movies] = False
        rows = np.flatnonzero(chosen)
        state = self.state_of(member)
        finished("features")
        predictions = self._predict(state, self.view.of_rows(rows, state.taste.evidence), finished)
        order = np.argsort(-predictions.rating, kind="stable")
        return rows[order].astype(np.int32), predictions.take(order)

    def explain(self, member: MemberFacts, movie: Movie) -> Explanation:
        """What each group of facts adds to one prediction; the parts sum to the rating before it is cut."""
        evidence = self.prior.usable_evidence(member)
        if isinstance(movie, int):
            member = member.without(movie)
        state = self.state_of(member)
        without_plays = self.state_of(member.without_plays()).taste
        targets = self.view.of([movie], state.taste.evidence)
        parts = prior_parts(self.prior, state.taste, without_plays, targets)
        contributions = self.trees.contributions(self._features(state, targets), state.taste.evidence)[0]
        parts = parts | tree_parts(self.feature_names, contributions)
        return Explanation(
            replace(self._predict(state, targets, ignore), member_evidence=evidence),
            sum(parts.values()),
            tuple(Part(group, rating) for group, rating in parts.items()),
        )

    def state_of(self, member: MemberFacts) -> State:
        """What is worked out of a member once."""
        taste, inputs = self.prior.taste_of(member, self.schema)
        plays = 0 if inputs is None else len(member.movies)
        extrapolation = self.calibration.extrapolation(taste.distance, taste.evidence)
        return State(
            taste,
            member_of(
                self.schema, self.prior.columns, self.pairs.grouped, taste, inputs, plays, member.attributes
            ),
            extrapolation,
            self.calibration.reading(taste.evidence, plays, extrapolation),
        )  # fmt: skip

    def _features(self, state: State, targets: Targets) -> NDArray[np.float32]:
        prior = prior_numbers(state.taste.factors, targets.factors, targets.offset, targets.deviation)
        return pair_features(state.members, targets.columns, prior)

    def _predict(self, state: State, targets: Targets, finished: Stage) -> Predictions:
        scale, taste = self.schema.scale, state.taste
        prior = self.prior.mean + rating_of(taste.factors, targets.factors) + targets.offset
        features = self._features(state, targets)
        finished("prior")
        rating = np.clip(prior + self.trees.corrections(features, taste.evidence), scale.low, scale.high)
        finished("trees")
        lower, upper, probability = state.reading(rating, targets.deviation, targets.evidence, scale)
        finished("interval")
        return Predictions(
            rating=rating,
            lower=lower,
            upper=upper,
            probability_enjoyed=probability,
            prior_rating=np.clip(prior, scale.low, scale.high),
            movie_evidence=targets.evidence,
            extrapolation=np.full(len(rating), state.extrapolation),
            member_evidence=taste.evidence,
        )
