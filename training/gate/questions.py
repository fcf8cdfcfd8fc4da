"""Questions about kept-out raters, treated as never-raters, and a model's answers by kind of evidence."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import MOVIE_ID, RATING
from features.movies import MEMBER, MOVIE
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts, MovieFacts, Play
from model.prediction.model import Model
from training.data.dataset import make_dataset
from training.data.passes.play_table import play_table
from training.data.reading.tables import Tables
from training.evaluation.slices import FEWEST_MEMBERS
from training.gate.kept_out import POSITION, Split, blake2b_key, rows_of
from training.versions.offline import descriptions, member_facts

Array = NDArray[np.float64]
SHOWN_RATINGS = 10
"""Maximum number of ratings to show of a member, for evidence with ratings."""
PREDICTED = ("rating", "lower", "upper", "probability_enjoyed")
"""Fields of a model's predictions that the gate scores."""


@dataclass(frozen=True)
class Questions:
    """N ratings of kept-out raters to predict, grouped by member."""

    tables: Tables
    """Tables with the members' attributes and plays, which models see; in memory."""
    member: NDArray[np.int64]
    """(N,) index of the member, ascending."""
    truth: Array
    """(N,) true rating."""
    movie: NDArray[np.int64]
    """(N,) row of the movie in the tables."""
    shown: Mapping[int, list[tuple[int, float]]]
    """Up to SHOWN_RATINGS ratings, with rows of movies, by index of the member, to show as the member's own ratings."""
    by_evidence: dict[MemberEvidence, NDArray[np.bool_]]
    """(N,) whether the member has each kind of evidence; kinds with fewer than FEWEST_MEMBERS members are left out."""

    @property
    def members(self) -> int:
        """Number of members; 0 if all kinds of evidence are left out."""
        return len(np.unique(self.member)) if self.by_evidence else 0


@dataclass(frozen=True)
class Answers:
    """A model's predictions with one kind of evidence, as (n,) arrays in the order of the questions of this kind."""

    rating: Array
    lower: Array
    upper: Array
    probability_enjoyed: Array
    fallback: NDArray[np.bool_]
    """Whether the model used less evidence than it was given, or has no ratings of the movie."""


def make_questions(split: Split, model: Model, key: str, share: float, most_members: int) -> Questions:
    """Show about half of each member's rated movies as plays, and ask for the ratings of the other half.

    A hash of member and movie determines the half, so that all versions get the same questions. The members are the
    first `most_members` of the kept-out raters whose hash position is below `share`. For evidence with ratings, a few
    of the plays are shown with their ratings.
    """
    tables, targets, visible = _divided(split, key, share, most_members)
    data = make_dataset(tables, model.schema)
    member = targets[MEMBER].to_numpy().astype(np.int64)
    everyone = np.ones(len(data.member_ids), bool)
    described = np.isfinite(data.attributes).any(axis=1) if data.attributes.shape[1] else ~everyone
    played = data.play_table.plays > 0
    few = visible.group_by(MEMBER, maintain_order=True).head(SHOWN_RATINGS).group_by(MEMBER)
    shown = {int(member): list(rows.select(MOVIE, RATING).iter_rows()) for (member,), rows in few}
    rated = np.isin(np.arange(len(everyone)), list(shown))
    by_evidence = {
        kind: (
            (described if kind.has_attributes else everyone)
            & (played if kind.has_plays else everyone)
            & (rated if kind.has_ratings else everyone)
        )[member]
        for kind in MemberEvidence
    }
    enough = {kind: rows for kind, rows in by_evidence.items() if len(np.unique(member[rows])) >= FEWEST_MEMBERS}
    movie = targets[MOVIE].to_numpy().astype(np.int64)
    return Questions(tables, member, targets[RATING].to_numpy(), movie, shown, enough)


def answer(model: Model, questions: Questions) -> Mapping[MemberEvidence, Answers]:
    """Answer the questions with the code of the service, except kinds of evidence with ratings if it can't use these.

    Raises DataError if an attribute has another kind.
    """
    data = make_dataset(questions.tables, model.schema)
    facts, described = list(member_facts(model, data)), descriptions(data)
    return {
        kind: _answer_with(kind, model, questions, facts, described)
        for kind in questions.by_evidence
        if not kind.has_ratings or kind in model.prior.rating_weights
    }


def _divided(split: Split, key: str, share: float, most_members: int) -> tuple[Tables, pl.DataFrame, pl.DataFrame]:
    """Return tables of the members without the ratings to predict, these ratings, and the other ratings.

    Ratings are rows of a play table; the others are in random order.
    """
    members = split.members.filter(pl.col(POSITION) < share).head(most_members)
    tables = rows_of(split.kept_out, members)
    rows = tables.play_table.collect()
    member_ids, movie_ids = tables.member_ids.gather(rows[MEMBER]), tables.movies[MOVIE_ID].gather(rows[MOVIE])
    draw = pl.Series("draw", [_draw(*pair, key) for pair in zip(member_ids, movie_ids, strict=True)], dtype=pl.UInt8)
    is_rated = rows[RATING].is_not_null()
    targets = is_rated & (draw % 2 == 1)
    others = rows.with_columns(draw).filter(is_rated & ~targets).sort("draw", maintain_order=True)
    visible = play_table(rows.filter(~targets), len(tables.member_ids))
    return replace(tables, play_table=visible), rows.filter(targets), others


def _answer_with(
    kind: MemberEvidence,
    model: Model,
    questions: Questions,
    facts: Sequence[MemberFacts],
    described: Mapping[str, MovieFacts],
) -> Answers:
    """Answer the questions with only one kind of evidence about each member."""
    starts = np.flatnonzero(np.diff(questions.member, prepend=-1))
    movie_ids = questions.tables.movies[MOVIE_ID].gather(questions.movie).to_list()
    arrays: dict[str, list[Array]] = {name: [] for name in PREDICTED}
    fallback = []
    for start, end in zip(starts, [*starts[1:], len(movie_ids)], strict=True):
        if not questions.by_evidence[kind][start]:
            continue
        row = int(questions.member[start])
        member = _limited(facts[row], kind)
        if kind.has_ratings:
            ids = questions.tables.movies[MOVIE_ID]
            rated = ((model.catalogue.row(ids[movie]), rating) for movie, rating in questions.shown[row])
            plays = [Play(movie, rating=rating) for movie, rating in rated if movie is not None]
            member = member.with_plays(plays, model.schema)
        movies = [
            model.catalogue.asked(movie_id, described[movie_id], member.movies) for movie_id in movie_ids[start:end]
        ]
        predictions = model.predict(member, movies)
        for name in PREDICTED:
            arrays[name].append(getattr(predictions, name))
        less = predictions.member_evidence != kind
        fallback.append((predictions.movie_evidence != MovieEvidence.RATED) | less)
    joined = {name: np.concatenate(parts) for name, parts in arrays.items()}
    return Answers(**joined, fallback=np.concatenate(fallback))


def _limited(member: MemberFacts, kind: MemberEvidence) -> MemberFacts:
    """Return the member with only the facts of one kind of evidence."""
    attributes = member.attributes if kind.has_attributes else np.full_like(member.attributes, np.nan)
    limited = replace(member, attributes=attributes)
    return limited if kind.has_plays else limited.without_plays()


def _draw(member_id: str, movie_id: str, key: str) -> int:
    """Return a pair's number from 0 to 255: odd for a rating to predict, else the place among the ratings to show."""
    text = f"{len(member_id)} {member_id} {movie_id}".encode()
    return hashlib.blake2b(text, digest_size=1, key=blake2b_key(key)).digest()[0]
