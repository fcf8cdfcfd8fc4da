"""Fits all parts of a model to a dataset and predicts its raters out of fold, as if they had never rated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.pair_features import Movies
from model.artifact.serialization import Core
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.movie_targets import Offsets
from model.prediction.pair_columns import PairColumns
from model.prediction.trees import Trees
from training.data.dataset import Dataset
from training.data.never_rater_views import SHORT, Views, show_ratings
from training.data.passes.passes import Passes
from training.data.passes.side_by_side import side_by_side
from training.fit.calibration.fit_drift_reference import fit_reference
from training.fit.calibration.fit_play_probability import fit_play_probability
from training.fit.calibration.held_out import share_nearer
from training.fit.calibration.intervals import calibrate
from training.fit.calibration.isotonic import Steps
from training.fit.covariate_shift.reweighting import Reweighting, reweight
from training.fit.cross_fit import OutOfFold, apply_out_of_fold, fit_priors
from training.fit.folds import FoldedData, fit_key, fold_data
from training.fit.out_of_fold_predictions import OutOfFoldPredictions
from training.fit.out_of_fold_targets import OutOfFoldTargets
from training.fit.prior.fit_prior import FittedPrior
from training.fit.prior.movie_descriptions import fit_description
from training.fit.rating_updates import RatingUpdates, fit_rating_updates
from training.fit.trees.fit_trees import bin_rows, fit_forests, predict_halves, without_member_mean
from training.fit.trees.group_effects import group_residuals, grouped_attributes
from training.fit.trees.pair_rows import PairTable, Rows, chunks, concatenate, movie_columns, target_rows
from training.settings import FitSettings, Report, TreeSettings

Array = NDArray[np.float64]

RATED, DESCRIBED, UNKNOWN = MovieEvidence.RATED, MovieEvidence.DESCRIBED, MovieEvidence.UNKNOWN
DEMEANED = {MemberEvidence.ATTRIBUTES: 0.7, MemberEvidence.PLAYS: 1.0, MemberEvidence.ATTRIBUTES_AND_PLAYS: 1.0}
"""Share of each view's shrunk mean residual that is subtracted from the trees' targets, by kind of member evidence."""
UNRATED_ROWS = 100_000
"""Maximum number of rows to repeat as if their movie were only described, and again as if it were unknown; also the
maximum number of rows from short views."""
PREDICTED_RATINGS = 1_000_000
"""Maximum number of ratings, of raters drawn at random, that trees, calibration and evaluation see. The prior, the
offsets and the group effects are fitted to all ratings."""


@dataclass(frozen=True)
class Fit:
    """A fitted model and its out-of-fold predictions."""

    core: Core
    """Part of the model that is published."""
    folded: FoldedData
    """Data that the model is fitted to."""
    predictions: dict[tuple[MemberEvidence, MovieEvidence], OutOfFoldPredictions]
    """Out-of-fold predictions by kind of member evidence and kind of movie evidence."""
    short: dict[MemberEvidence, OutOfFoldPredictions]
    """Out-of-fold predictions from short views, which show few plays, by kind of member evidence."""
    with_ratings: dict[tuple[MemberEvidence, MovieEvidence], OutOfFoldPredictions]
    """Out-of-fold predictions from views that show ratings too, by kind of member evidence, with ratings, and kind of
    movie evidence."""
    updates: RatingUpdates
    """Updates out-of-fold predictions by ratings that views show."""
    table: PairTable
    """Views and out-of-fold priors from which the features of the predicted rows are computed."""
    predict: Callable[[PairTable, Rows], OutOfFoldPredictions]
    """Function that predicts rows of a pair table out of fold; all rows must have the same kind of member evidence."""
    reweighting: Reweighting | None = None
    """Weights of the raters; None if reweighting wasn't requested or there are too few raters or never-raters."""

    @property
    def steps(self) -> Array:
        """(K,) distinct ratings in the data, ascending."""
        return self.folded.steps

    def of_views(self, views: Views, fold: NDArray[np.int64]) -> PairTable:
        """Return a pair table of other views; `fold` (V,) is the fold of each view's member."""
        out_of_fold = apply_out_of_fold(self.table.out_of_fold.fitted, self.table.data, views, fold)
        return replace(self.table, views=views, out_of_fold=out_of_fold)


def fit_model(passes: Passes, data: Dataset, seed: int, settings: FitSettings, report: Report) -> Fit:
    """Fit all parts of a model; `report` is called with the name of each step.

    The same data, seed and settings give the same model wherever the passes run. Priors that an interrupted fit left in
    the passes' folder aren't fitted again.
    """
    report("partitions")
    folder = passes.folder / fit_key(data, seed, settings)
    folder.mkdir(exist_ok=True)
    folded = fold_data(passes, data, settings.folds, seed, PREDICTED_RATINGS, folder)
    reweighting = reweight(data, folded.statistics.whole, seed) if settings.reweight else None
    weight = None if reweighting is None else reweighting.weight
    whole, out_of_fold = fit_priors(
        passes,
        folded,
        seed,
        settings.prior,
        report,
        np.ones(len(data.member_ids)) if weight is None else weight,
        folder,
    )
    report("features of pairs")
    table, movies = _pair_table(passes, folded, whole, out_of_fold)
    targets = OutOfFoldTargets(passes, folded, table, whole, weight)
    report("trees")
    forest, half_forests = _fit_forests(table, targets, seed, settings.trees)
    rows_of_kind = _predicted_rows(targets, np.random.default_rng([seed, 4]))
    predictions = {key: _predict(table, targets, half_forests, rows) for key, rows in rows_of_kind.items()}
    weights = {
        member: _weight(predictions[member, RATED], targets.weight(predictions[member, RATED].rows))
        for member in DEMEANED
        if (member, RATED) in predictions
    }
    predictions = {key: rows.with_tree_weight(weights.get(key[0], 0.0)) for key, rows in predictions.items()}

    def predict(table: PairTable, rows: Rows) -> OutOfFoldPredictions:
        weight = weights.get(MemberEvidence(int(rows.evidence[0])), 0.0) if len(rows) else 0.0
        return _predict(table, targets, half_forests if weight else [], rows).with_tree_weight(weight)

    short = {
        member: predict(table, rows) for member, rows in _short_rows(table, np.random.default_rng([seed, 8])).items()
    }
    report("update by ratings")
    random = np.random.default_rng([seed, 12])
    updates = fit_rating_updates(targets, table, show_ratings(folded.views, random), predictions, random)
    with_ratings = {
        (member.with_ratings, movie): updates.apply(rows)
        for (member, movie), rows in predictions.items()
        if member.has_plays and member.with_ratings in updates.weights
    }
    short_with_ratings = {
        member.with_ratings: updates.apply(rows)
        for member, rows in short.items()
        if member.with_ratings in updates.weights and len(rows.rows)
    }
    report("intervals and probabilities")
    held_out = {key: targets.held_out(rows) for key, rows in (predictions | with_ratings).items()}
    held_out_short = {member: targets.held_out(rows) for member, rows in (short | short_with_ratings).items()}
    steps = Steps.among(targets.rows[MemberEvidence.NOTHING].rating)
    calibration = calibrate(held_out, held_out_short, targets.distances, data.schema.scale, steps)
    ratings = folded.statistics.whole.ratings
    offsets = {
        member: _served_offsets(data, targets.served_offsets(member), ratings, np.random.default_rng([seed, 5]))
        for member in targets.rows
        if member in whole.prior.spread
    }
    # kinds of evidence without targets have no offsets, and can't be served
    heads = {member: whole.prior.heads[member] for member in whole.prior.heads if member in offsets}
    reference = fit_reference(data, held_out, calibration)
    play_weights = fit_play_probability(folded.views, out_of_fold, table.movies, np.random.default_rng([seed, 15]))
    prior = replace(whole.prior, heads=heads, rating_weights=updates.weights, play_weights=play_weights)
    pairs = PairColumns(movies, table.grouped)
    core = Core(prior, offsets, pairs, Trees(forest, weights), calibration, reference)
    return Fit(core, folded, predictions, short, with_ratings, updates, table, predict, reweighting)


def _pair_table(
    passes: Passes, folded: FoldedData, whole: FittedPrior, out_of_fold: OutOfFold
) -> tuple[PairTable, Movies]:
    """Return the pair table of the views that the model is fitted on, and the columns of movies to serve."""
    data, equal = folded.data, np.ones(len(folded.fold_of))
    learned = [folded.learned(number, equal) for number in range(folded.folds + 1)]
    grouped = grouped_attributes(passes, learned[-1], data.schema)
    *movies, served = (
        movie_columns(data, fitted, group_residuals(passes, learned_, data.schema, grouped))
        for fitted, learned_ in zip((*out_of_fold.fitted, whole), learned, strict=True)
    )
    return PairTable(data, folded.views, out_of_fold, tuple(movies), grouped), served


def _fit_forests(
    table: PairTable, targets: OutOfFoldTargets, seed: int, settings: TreeSettings
) -> tuple[lightgbm.Booster | None, list[lightgbm.Booster]]:
    """Fit the forest to publish, and two half forests, each without one half of the folds."""
    random = np.random.default_rng([seed, 6])
    parts, offsets = [], []
    for member in DEMEANED:
        if member not in targets.rows:
            continue
        own = targets.rows[member]
        most = settings.most_rows // (4 if member is MemberEvidence.PLAYS else 2)
        rows = own.sample(most, random)
        few = rows.sample(min(UNRATED_ROWS, len(rows) // 8), random)
        for part in (rows, few.with_movie_evidence(DESCRIBED), few.with_movie_evidence(UNKNOWN)):
            parts.append(part)
            offsets.append(targets.movie_offsets(part, table))
    if not parts:
        return None, []
    rows, offset = concatenate(parts), np.concatenate(offsets)
    residual = rows.rating - table.base(rows) - offset
    target = np.empty(len(rows))
    for member, share in DEMEANED.items():
        chosen = rows.evidence == member
        key = rows.view * 4 + rows.movie_evidence
        target[chosen] = without_member_mean(residual[chosen], key[chosen], share)
    weight = targets.weight(rows) if targets.weighted else None
    data = bin_rows(table.all_features(rows, offset), target, weight)
    side = half_of(table, rows)
    whole, *halves = fit_forests(data, seed, settings, [None, *(np.flatnonzero(side != half) for half in (0, 1))])
    return whole, halves


def half_of(table: PairTable, rows: Rows) -> NDArray[np.int64]:
    """Return (N,) the half of the folds, 0 or 1, of each row's member; the other half's forest predicts the row."""
    return (table.out_of_fold.fold[rows.view] * 2 >= len(table.out_of_fold.fitted)).astype(np.int64)


def _predicted_rows(
    targets: OutOfFoldTargets, random: np.random.Generator
) -> dict[tuple[MemberEvidence, MovieEvidence], Rows]:
    """Return the rows to predict out of fold by kind of evidence; rows of unrated movies are sampled from these."""
    predicted = {}
    for member, rows in targets.rows.items():
        predicted[member, RATED] = rows
        few = rows.sample(UNRATED_ROWS, random)
        predicted[member, DESCRIBED] = few.with_movie_evidence(DESCRIBED)
        predicted[member, UNKNOWN] = few.with_movie_evidence(UNKNOWN)
    return predicted


def _short_rows(table: PairTable, random: np.random.Generator) -> dict[MemberEvidence, Rows]:
    """Return rows of short views to predict out of fold, by kind of evidence with plays."""
    short: dict[MemberEvidence, Rows] = {}
    for member in (MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS):
        if member in table.out_of_fold.factors:
            known = np.isfinite(table.out_of_fold.factors[member][:, 0])
            rows = target_rows(table.views, (table.views.half == SHORT) & known, member)
            short[member] = rows.sample(UNRATED_ROWS, random)
    return short


def _predict(
    table: PairTable, targets: OutOfFoldTargets, forests: Sequence[lightgbm.Booster], rows: Rows
) -> OutOfFoldPredictions:
    """Predict rows out of fold with the trees at full weight; all rows have the same kind of member evidence."""
    learned = forests if len(rows) and MemberEvidence(int(rows.evidence[0])) in DEMEANED else []
    offset, side = targets.movie_offsets(rows, table), half_of(table, rows)
    prior, deviation, correction = np.empty(len(rows)), np.empty(len(rows)), np.zeros(len(rows))

    def predict_part(part: slice) -> None:
        of_part = rows.take(part)
        outputs = table.prior_of(of_part)
        prior[part], deviation[part] = outputs.rating + offset[part], table.deviation(of_part, outputs)
        if learned:
            features = table.features_of(of_part, outputs, deviation[part], offset[part])
            correction[part] = predict_halves(learned, features, side[part])

    side_by_side(predict_part, chunks(len(rows)))
    member = MemberEvidence(int(rows.evidence[0])) if len(rows) else MemberEvidence.NOTHING
    plays = table.views.play_count[rows.view] if member.has_plays else np.zeros(len(rows), np.int64)
    extrapolation = np.zeros(len(rows))
    if member in targets.distances:
        extrapolation = share_nearer(table.out_of_fold.distance[member][rows.view], targets.distances[member])
    return OutOfFoldPredictions(rows, prior, prior + correction, deviation, plays, extrapolation)


def _weight(predictions: OutOfFoldPredictions, weight: Array) -> float:
    """Return the weight, 0 to 1, of the trees' correction by weighted least squares on out-of-fold predictions."""
    correction = predictions.rating - predictions.prior
    power = float((weight * correction) @ correction)
    if power == 0:
        return 0.0
    return float(np.clip((weight * correction) @ (predictions.rows.rating - predictions.prior) / power, 0, 1))


def _served_offsets(data: Dataset, movies: Array, ratings: Array, random: np.random.Generator) -> Offsets:
    """Return the offsets (B, M) to publish; those of movies without ratings are predicted from descriptions."""
    description, predicted = fit_description(data, movies.T, ratings, random)
    return Offsets(np.where(ratings > 0, movies, predicted.T), description)
