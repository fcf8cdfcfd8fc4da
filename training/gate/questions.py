"""The kept-out raters shown as if they never rated, and what a model answers of them, by kind of evidence."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import MEMBER_ID, MOVIE_ID, RATING
from features.movies import MEMBER, MOVIE
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from training.data.dataset import Dataset, make_dataset
from training.data.reading.tables import Tables
from training.evaluation.slices import FEWEST_MEMBERS
from training.gate.kept_out import Divided, only
from training.versions.offline import descriptions, facts_of_plays

Array = NDArray[np.float64]
NAMES = ("rating", "lower", "upper", "probability_enjoyed")


@dataclass(frozen=True)
class Questions:
    """N questions about kept-out raters."""

    tables: Tables
    """What is shown of them, and (as ratings) what is asked."""
    member: NDArray[np.int64]
    """(N,) number of the member."""
    truth: Array
    """(N,) what it rated."""
    movie_ids: pl.Series
    """(N,) what is asked about."""
    asked: dict[MemberEvidence, NDArray[np.bool_]]
    """(N,) whether the member has what a kind of evidence shows; kinds that few members have are left out."""

    @property
    def members(self) -> int:
        """How many members are asked about; none where they are so few that nothing may be told of them."""
        return len(np.unique(self.member)) if self.asked else 0


@dataclass(frozen=True)
class Answers:
    """What a model says to the questions of one kind of evidence; (n,) arrays in the order of the questions."""

    rating: Array
    lower: Array
    upper: Array
    probability_enjoyed: Array
    fallback: NDArray[np.bool_]
    """Whether less was used than is known, or the movie is one that nobody rated."""


def make_questions(divided: Divided, model: Model, key: str, share: float, most_members: int) -> Questions:
    """Half of each member's rated movies stay visible as plays, the other half is asked about; a hash says which.

    So the same rating is the same question for every version. Members are those below the share, at most so many.
    """
    chosen = divided.members.filter(pl.col("place") < share).head(most_members)
    tables = only(divided.kept_out, chosen)
    pairs = zip(tables.ratings[MEMBER_ID], tables.ratings[MOVIE_ID], strict=True)
    asked = pl.Series([_is_asked(member_id, movie_id, key) for member_id, movie_id in pairs], dtype=pl.Boolean)
    targets = tables.ratings.filter(asked)
    plays = tables.plays.join(targets, on=[MEMBER_ID, MOVIE_ID], how="anti", maintain_order="left")
    tables = replace(tables, ratings=targets, plays=plays)
    data = make_dataset(tables, model.schema)
    member = data.ratings[MEMBER].to_numpy().astype(np.int64)
    everyone = np.ones(len(data.member_ids), bool)
    described = np.isfinite(data.attributes).any(axis=1) if data.attributes.shape[1] else ~everyone
    played = np.bincount(data.plays[MEMBER].to_numpy(), minlength=len(everyone)) > 0
    asked_of = {
        kind: ((described if kind.has_attributes else everyone) & (played if kind.has_plays else everyone))[member]
        for kind in MemberEvidence
    }
    enough = {kind: rows for kind, rows in asked_of.items() if len(np.unique(member[rows])) >= FEWEST_MEMBERS}
    movie_ids = data.movie_ids.gather(data.ratings[MOVIE])
    return Questions(tables, member, data.ratings[RATING].to_numpy(), movie_ids, enough)


def answer(model: Model, questions: Questions) -> Mapping[MemberEvidence, Answers]:
    """The model's answers, with the code that serves; raises DataError where its attributes are of other kinds."""
    data = make_dataset(questions.tables, model.schema)
    facts, described = member_facts(model, data), descriptions(data)
    starts = np.flatnonzero(np.diff(questions.member, prepend=-1))
    movies = questions.movie_ids.to_list()
    found = {}
    for kind, asked in questions.asked.items():
        parts: dict[str, list[Array]] = {name: [] for name in NAMES}
        fallback = []
        for start, end in zip(starts, [*starts[1:], len(movies)], strict=True):
            if not asked[start]:
                continue
            member = _shown(facts[int(questions.member[start])], kind)
            asked_for = [
                model.catalogue.asked(movie_id, described[movie_id], member.movies) for movie_id in movies[start:end]
            ]
            predictions = model.predict(member, asked_for)
            for name in NAMES:
                parts[name].append(getattr(predictions, name))
            less = predictions.member_evidence != kind
            fallback.append((predictions.movie_evidence != MovieEvidence.RATED) | less)
        found[kind] = Answers(**{name: np.concatenate(part) for name, part in parts.items()},
                              fallback=np.concatenate(fallback))  # fmt: skip
    return found


def member_facts(model: Model, data: Dataset) -> list[MemberFacts]:
    """The facts of each member of a dataset in the model's terms."""
    catalogue_row = [model.catalogue.row(movie_id) for movie_id in data.movie_ids]
    nothing = MemberFacts.nothing(model.schema)
    facts = [replace(nothing, attributes=attributes) for attributes in data.attributes]
    for (member,), plays in data.plays.group_by(MEMBER, maintain_order=True):
        facts[int(member)] = facts_of_plays(facts[int(member)], plays, catalogue_row)
    return facts


def _shown(member: MemberFacts, kind: MemberEvidence) -> MemberFacts:
    """As much of a member as a kind of evidence shows."""
    attributes = member.attributes if kind.has_attributes else np.full_like(member.attributes, np.nan)
    shown = replace(member, attributes=attributes)
    return shown if kind.has_plays else shown.without_plays()


def _is_asked(member_id: str, movie_id: str, key: str) -> bool:
    text = f"{len(member_id)} {member_id} {movie_id}".encode()
    return bool(hashlib.blake2b(text, digest_size=1, key=hashlib.sha256(key.encode()).digest()).digest()[0] & 1)
