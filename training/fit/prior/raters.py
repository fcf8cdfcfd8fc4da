"""Raters as rows of regressions: facts that their views show, and their factors as targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from model.facts.evidence import MemberEvidence
from model.prediction.calibration import bins_of
from model.prediction.prior.member_inputs import MovieColumns, of_attributes
from training.data.never_rater_views import VIEWS
from training.data.passes.member_partition import MemberPartition, views_with
from training.data.passes.passes import Passes
from training.data.passes.visible_facts import SummedColumns, play_inputs
from training.fit.prior.factorization import Factors, KeptRatings, MemberUpdate
from training.fit.prior.inputs import scaling_of
from training.fit.prior.kernel_ridge import FittedRegression, Places, Rows, Scaling, drawn_inputs, fit
from training.settings import KernelSettings, PriorSettings

Array = NDArray[np.float64]

SCALING_ROWS = 5000
"""Maximum number of views, drawn at random, from which centre and scale of the inputs are computed."""


@dataclass(frozen=True)
class FactorTargets:
    """Targets of the regressions for the U raters of a partition."""

    factors: Array
    """(U, K) posterior means of the raters' factors; 0 for raters who aren't fitted to."""
    weights: Array
    """(U,) weights; 0 for raters who aren't fitted to."""
    folds: NDArray[np.int64]
    """(U,) fold of each rater."""


@dataclass(frozen=True)
class FactorRows:
    """Rows of one partition to fit a regression to: views, whose facts are inputs, and the factors of their members."""

    partition: MemberPartition
    """The partition of the views."""
    targets: FactorTargets
    """Factors of its raters."""
    views: Places
    """(N,) numbers of the views."""

    def __len__(self) -> int:
        return len(self.views)

    @property
    def owner(self) -> Places:
        """(N,) the rater of each row, 0 to U - 1."""
        return self.views // VIEWS

    @property
    def folds(self) -> NDArray[np.int64]:
        """(N,) the fold of each row's rater."""
        return self.targets.folds[self.owner]

    def bins(self) -> NDArray[np.int64]:
        """Return (N,) the number of the bin in PLAY_BINS for each row's number of plays."""
        return bins_of(self.partition.seen().facts.play_count[self.views])


@dataclass(frozen=True)
class Inputs:
    """What is an input of a regression."""

    evidence: MemberEvidence
    """Kinds of facts that are inputs."""
    columns: MovieColumns
    """Columns of the movies that are summed over plays."""
    schema: Schema
    """Encoding of the attributes."""

    @cached_property
    def _summed(self) -> SummedColumns:
        return SummedColumns.of(self.columns)

    def rows(self, source: FactorRows, chosen: Places) -> Rows:
        """Return the inputs and targets of the rows of a source with these numbers."""
        facts, owner = source.partition.seen().facts.take(source.views[chosen]), source.owner[chosen]
        known = []
        if self.evidence.has_plays:
            known.append(play_inputs(facts, self._summed))
        if self.evidence.has_attributes:
            known.append(of_attributes(facts.attributes, self.schema))
        targets = source.targets
        return Rows(np.concatenate(known, axis=1), targets.factors[owner], targets.weights[owner])


@dataclass(frozen=True)
class Raters:
    """Raters of all partitions, and how much each counts in the regressions."""

    passes: Passes
    """Runs the passes."""
    ratings: Sequence[KeptRatings]
    """Ratings by partition."""
    weights: Sequence[Array]
    """(U,) weights of the raters by partition; 0 for raters who aren't fitted to."""
    folds: Sequence[NDArray[np.int64]]
    """(U,) folds of the raters by partition, for out-of-fold predictions of the regressions."""
    schema: Schema
    """Encoding of the attributes."""
    settings: PriorSettings
    """Settings of the prior."""

    @staticmethod
    def of(
        passes: Passes,
        ratings: Sequence[KeptRatings],
        weights: Sequence[Array],
        schema: Schema,
        settings: PriorSettings,
        random: np.random.Generator,
    ) -> "Raters":
        """Draw folds of raters and compute their weights, which grow with the number of ratings.

        `weights` (U,) are factors of the weights by partition.
        """
        ends = np.cumsum([len(part) for part in ratings])
        folds = np.split(random.permutation(int(ends[-1])) % settings.folds, ends[:-1])
        grown = passes.collect(partial(_weights, settings.prior_ratings), ratings, weights)
        return Raters(passes, ratings, grown, folds, schema, settings)

    def views(self, evidence: MemberEvidence, short: bool = True) -> list[Places]:
        """Return the views that show such facts, by partition; views of few plays only if `short` is True."""
        return [views_with(part.partition.kinds, part.kept, evidence, short) for part in self.ratings]

    def targets(self, factors: Factors) -> list[FactorTargets]:
        """Return the targets of the regressions by partition: posterior means of the raters' factors."""
        means = self.passes.collect(partial(_means, MemberUpdate.of(factors)), self.ratings, factors.member_prior)
        return [FactorTargets(*of_part) for of_part in zip(means, self.weights, self.folds, strict=True)]

    def sources(self, targets: Sequence[FactorTargets], views: Sequence[Places]) -> list[FactorRows]:
        """Return rows by partition: these views (N,)."""
        return [
            FactorRows(ratings.partition, of_raters, of_part)
            for ratings, of_raters, of_part in zip(self.ratings, targets, views, strict=True)
        ]

    def inputs(self, evidence: MemberEvidence, columns: MovieColumns) -> Inputs:
        """Return the inputs of regressions on one kind of evidence."""
        return Inputs(evidence, columns, self.schema)

    def scaling(self, inputs: Inputs, sources: Sequence[FactorRows], random: np.random.Generator) -> Scaling:
        """Return the scaling of the inputs of these rows."""
        drawn = drawn_inputs(self.passes, inputs.rows, sources, SCALING_ROWS, random)
        return scaling_of(drawn, inputs.columns, self.settings.sight)

    def fit(
        self,
        inputs: Inputs,
        sources: Sequence[FactorRows],
        scaling: Scaling,
        kernel: KernelSettings,
        random: np.random.Generator,
    ) -> FittedRegression:
        """Fit a regression to these rows."""
        return fit(self.passes, inputs.rows, sources, scaling, kernel, self.settings.folds, random)


def average_of(targets: Sequence[FactorTargets]) -> Array:
    """Return (K,) the weighted mean of the raters' factors."""
    factors, weights = (np.concatenate([getattr(part, name) for part in targets]) for name in ("factors", "weights"))
    return np.asarray(weights @ factors / weights.sum())


def _weights(prior_ratings: float, ratings: KeptRatings, weights: Array) -> Array:
    count = np.bincount(ratings.partition.ratings().indices, minlength=len(ratings))
    return np.asarray(ratings.kept * weights * (count / (count + prior_ratings)))


def _means(update: MemberUpdate, ratings: KeptRatings, prior: Array) -> Array:
    means = update.posterior(ratings.centred(), prior[ratings.kept]).mean
    return ratings.of_all(means.astype(np.float64))
