"""The next fact to ask a member for: the unknown attribute, or further plays, that would narrow an interval most.

By the law of total variance, the variance of a rating about its prediction is the expected variance given a fact, plus
the variance of the predictions over the possible values of the fact. The second term, the gain, is computed with the
model itself. For an attribute, predictions over all of its values are weighted by their frequencies among raters. For
further plays, the plays of published members are tried; if nobody is published, the widths of intervals tell. This
treats unknown facts as independent of known ones. In reality they may depend on known facts and explain less, so gains
are limited by the variance that facts explain out of fold: for all attributes together, by how much narrower intervals
are with attributes than without; for further plays, by a learning curve. The width of an interval is assumed to be
proportional to the standard deviation.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from features.pair_features import pair_features
from features.schema import Attribute
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts
from model.prediction.calibration import bins_of
from model.prediction.model import Model
from model.prediction.movie_targets import Movie
from model.prediction.predictions import NextFact
from model.prediction.prior.member_inputs import of_attributes
from model.prediction.prior.prior import prior_numbers, rating_of

Array = NDArray[np.float64]

FURTHER_PLAYS = 10
"""Number of further plays that is compared with one attribute."""
MANY_PLAYS = 30
"""Number of plays of the raters from whom the maximum variance that plays can explain is estimated."""
PEOPLE = 48
"""Number of published members whose plays are tried; a variance over this many has a standard error of about 20 %."""
LOOKED_AT = 4 * PEOPLE
"""Number of published members among whom those with enough plays are chosen."""
NO_PLAYS = np.zeros(1, np.int64)
"""(1,) bin of members without plays; standard deviations don't depend on the bin."""
LEAST_SHARE = 0.005
"""Minimum relative reduction of the interval's width; a fact that is expected to achieve less isn't suggested."""


def next_fact(model: Model, member: MemberFacts, movie: Movie) -> NextFact | None:
    """Return the fact to ask a member for, to predict a movie better: an attribute or further plays.

    Returns None if no fact is expected to narrow the interval enough. As in `Model.predict`, a movie that the member
    has played or rated is predicted as if the member had done neither. Of what a fact would explain without ratings,
    the share counts that the member's ratings leave unexplained.
    """
    if isinstance(movie, int):
        member = member.without(movie)
    predicted = model.predict(member, [movie])
    current = float(predicted.upper[0] - predicted.lower[0])
    state = model.state_of(member)
    target = model.view.of([movie], state.taste.evidence, NO_PLAYS)
    variance = float(state.deviation(target)[0]) ** 2
    if variance <= 0:
        return None
    noise = float(target.noise[0])
    most = max(variance - noise * (1.0 if state.update is None else float(state.update.noise[0])), 0.0)
    left = most / max(float(target.deviation[0]) ** 2 - noise, most, 1e-12)
    member = member.without_ratings()

    def width(gain: float) -> float:
        """Return the expected width of the interval if a fact explains `gain` of the variance, but never the noise."""
        return current * float(np.sqrt(1 - min(left * gain, most) / variance))

    candidates = [
        NextFact(model.schema.member_attributes[place].name, 0, width(gain), current)
        for place, gain in _gains_of_attributes(model, member, movie).items()
    ]
    candidates.append(NextFact(None, FURTHER_PLAYS, width(_gain_of_plays(model, member, movie)), current))
    best = min(candidates, key=lambda fact: fact.expected_width)
    return best if best.expected_width < (1 - LEAST_SHARE) * current else None


def _gains_of_attributes(model: Model, member: MemberFacts, movie: Movie) -> dict[int, float]:
    """Return the variance of the rating that each unknown attribute would explain, by position in the schema."""
    bare = member.with_attributes(dict.fromkeys(range(len(member.attributes)), float("nan")))
    alone = _variances_over_values(model, bare, movie)
    if not alone or np.isfinite(member.attributes[list(alone)]).all():
        return {}
    first = next(iter(alone))
    known = model.prior.usable_evidence(bare.with_attributes({first: 0.0}))
    plays = len(member.movies)
    explained = _explained(model, movie, (model.prior.usable_evidence(bare), plays), (known, plays))
    share = min(1.0, explained / max(sum(alone.values()), 1e-12))
    gains = alone if not np.isfinite(member.attributes).any() else _variances_over_values(model, member, movie)
    return {place: share * gain for place, gain in gains.items()}


def _variances_over_values(model: Model, member: MemberFacts, movie: Movie) -> dict[int, float]:
    """Return how much a prediction varies over the values of each unknown attribute, by position in the schema."""
    unknown = {
        place: _values(attribute)
        for place, attribute in enumerate(model.schema.member_attributes)
        if attribute.shares and not np.isfinite(member.attributes[place])
    }
    if not unknown:
        return {}
    owners = np.repeat(list(unknown), [len(values) for values, _ in unknown.values()])
    attributes = np.repeat(member.attributes[None], len(owners), axis=0)
    attributes[np.arange(len(owners)), owners] = np.concatenate([values for values, _ in unknown.values()])
    inputs = model.prior.columns.of_plays([member]).repeat(len(owners), axis=0)
    plays = np.full(len(owners), len(member.movies))
    evidence = model.prior.usable_evidence(member.with_attributes({int(owners[0]): 0.0}))
    ratings = _ratings(model, evidence, inputs, plays, attributes, movie)
    variances = {}
    for place, (_, shares) in unknown.items():
        own = ratings[owners == place]
        variances[place] = float(shares @ (own - shares @ own) ** 2)
    return variances


def _gain_of_plays(model: Model, member: MemberFacts, movie: Movie) -> float:
    """Return the variance of the rating that FURTHER_PLAYS further plays of the member would explain.

    In all, n plays explain most * n / (n + half), the learning curve of a mean with a prior worth `half` plays. `most`
    is the variance that MANY_PLAYS plays explain, and `half` is estimated from the first FURTHER_PLAYS plays: from the
    predictions for published members with these, or, if nobody is published, from the widths of intervals.
    """
    bare = member.without_plays()
    people = list(islice(_with_plays(model, bare, movie), PEOPLE))
    evidence = model.prior.usable_evidence(people[0] if people else _with_any_plays(model, bare))
    known_before = model.prior.usable_evidence(bare), 0
    most = _explained(model, movie, known_before, (evidence, MANY_PLAYS))
    if people:
        inputs = model.prior.columns.of_plays(people)
        attributes = np.repeat(member.attributes[None], len(people), axis=0)
        plays = np.full(len(people), FURTHER_PLAYS)
        first = float(_ratings(model, evidence, inputs, plays, attributes, movie).var())
    else:
        first = _explained(model, movie, known_before, (evidence, FURTHER_PLAYS))
    if first <= 0 or most <= 0:
        return 0.0
    half = FURTHER_PLAYS * (most / min(first, most) - 1)
    known = len(member.movies)
    if known == 0:
        return min(first, most)
    return most * FURTHER_PLAYS * half / ((known + half) * (known + half + FURTHER_PLAYS))


def _explained(model: Model, movie: Movie, less: tuple[MemberEvidence, int], more: tuple[MemberEvidence, int]) -> float:
    """Return the variance of ratings that is explained once more is known of a member than before.

    `less` and `more` each have a kind of evidence (what is known) and a number of plays. The variance is computed from
    the widths of the 90 % intervals with each.
    """
    before, after = (model.view.of([movie], evidence, NO_PLAYS) for evidence, _ in (less, more))
    wide, narrow = (
        model.calibration.reach(evidence, plays, MovieEvidence(int(target.evidence[0]))) * float(target.deviation[0])
        for (evidence, plays), target in ((less, before), (more, after))
    )
    return float(before.deviation[0]) ** 2 * max(1 - (narrow / wide) ** 2, 0.0) if wide > 0 else 0.0


def _values(attribute: Attribute) -> tuple[NDArray[np.float32], Array]:
    """Return the encoded values of an attribute, and their relative frequencies among raters."""
    shares = np.array(attribute.shares)
    values = np.arange(len(shares)) if attribute.kind == "categorical" else np.array(attribute.knots)
    return values.astype(np.float32), shares / shares.sum()


def _with_plays(model: Model, member: MemberFacts, movie: Movie) -> Iterator[MemberFacts]:
    """Yield the member with the attributes kept and FURTHER_PLAYS plays of each published member with enough plays."""
    for other in model.members.spread(LOOKED_AT):
        theirs = other.without(movie) if isinstance(movie, int) else other
        count = len(theirs.movies)
        if count >= FURTHER_PLAYS:
            chosen = np.arange(FURTHER_PLAYS) * count // FURTHER_PLAYS
            yield MemberFacts(
                member.attributes, theirs.movies[chosen], theirs.completion[chosen], theirs.age_days[chosen]
            )


def _with_any_plays(model: Model, member: MemberFacts) -> MemberFacts:
    """Return the member with FURTHER_PLAYS plays of any movies, for the kind of evidence."""
    movies = np.arange(min(FURTHER_PLAYS, len(model.catalogue)), dtype=np.int32)
    unknown = np.full(len(movies), np.nan, np.float32)
    return MemberFacts(member.attributes, movies, unknown, unknown)


def _ratings(
    model: Model,
    evidence: MemberEvidence,
    inputs: Array,
    plays: NDArray[np.int64],
    attributes: NDArray[np.float32],
    movie: Movie,
) -> Array:
    """Return (N,) predictions of a movie, less the mean and the offset, for N members of one kind of evidence.

    `inputs` (N, I) are computed from plays, `plays` (N,) are numbers of plays and `attributes` is (N, A). Only the
    differences between the predictions matter, so they aren't clipped to the scale.
    """
    if evidence is MemberEvidence.NOTHING:
        return np.zeros(len(plays))
    if not evidence.has_plays:
        inputs, plays = np.zeros_like(inputs), np.zeros_like(plays)
    factors, _ = model.prior.predict(evidence, inputs, of_attributes(attributes, model.schema), plays)
    target = model.view.of([movie], evidence, bins_of(plays[:1]))
    movies, offset, deviation = (
        np.repeat(array, len(plays), axis=0) for array in (target.factors, target.offset, target.deviation)
    )
    kinds = np.full(len(plays), int(evidence))
    members = model.member_columns.of(kinds, inputs, plays, attributes)
    columns = target.columns.take(np.zeros(len(plays), np.int64))
    features = pair_features(members, columns, prior_numbers(factors, movies, offset, deviation))
    return rating_of(factors, movies) + model.trees.corrections(features, evidence)
