"""What an attacker asks a model about each target: the target's own movies, with some of its facts shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MEMBER, MOVIE
from model.facts.facts import MemberFacts, Ratings
from model.prediction.model import Model, Rows
from training.data.dataset import encode_columns
from training.data.reading.tables import Tables

Array = NDArray[np.float64]
Places = NDArray[np.int64]

KINDS = ("nothing", "attributes", "plays", "plays and attributes", "10 ratings", "all ratings")
"""What is shown of a target; with ratings, plays and attributes are too."""
IN_SAMPLE = "in sample"
"""Kind of the control: all of the target's ratings count, also those that are asked for, as in a factorization that
serves the factors of the members it was trained on."""
SHOWN = {"10 ratings": 10, "all ratings": 100_000}
BATCH = 256
"""Number of requests that are computed together."""


@dataclass(frozen=True)
class Targets:
    """T targets with N ratings, one target after the other."""

    members: Places
    """(T,) row numbers of the targets in the tables."""
    target: Places
    """(N,) whose rating it is."""
    movie: Places
    """(N,) row of the movie."""
    rating: Array
    """(N,) rating."""
    half: Places
    """(N,) half of the target's ratings, 0 or 1; one half is shown when the other is asked for."""
    order: Array
    """(N,) random numbers; the first ratings of a half in their order are shown."""

    @staticmethod
    def drawn(tables: Tables, most: int, random: np.random.Generator) -> "Targets":
        """Draw at most so many raters."""
        raters = np.sort(random.permutation(tables.play_table.raters)[:most])
        of_raters = pl.col(MEMBER).is_in(pl.Series(raters.astype(np.int32)).implode())
        rows = tables.play_table.collect().filter(of_raters & pl.col(RATING).is_not_null())
        member, movie, rating = (rows[name].to_numpy() for name in (MEMBER, MOVIE, RATING))
        target = np.searchsorted(raters, member)
        halves = random.integers(0, 2, len(target))
        return Targets(
            raters, target, movie.astype(np.int64), rating.astype(np.float64), halves, random.random(len(target))
        )  # fmt: skip

    @property
    def counts(self) -> Places:
        """(T,) number of ratings of each target."""
        return np.bincount(self.target, minlength=len(self.members))


class Asking:
    """Asks one model about all targets."""

    def __init__(self, tables: Tables, targets: Targets, model: Model) -> None:
        self._targets, self._model = targets, model
        ids = tables.member_ids.gather(targets.members)
        rows = ids.to_frame("member_id").join(tables.members, on="member_id", how="left", maintain_order="left")
        self._attributes = encode_columns(rows, model.schema.member_attributes)
        ends = np.cumsum(targets.counts)
        self._own = [slice(end - count, end) for end, count in zip(ends, targets.counts, strict=True)]

    def predictions(self, kind: str, chosen: Sequence[int] | None = None) -> dict[str, Array]:
        """Return (N,) ratings with and without trees, and extrapolations, with such facts of each target shown.

        Only the ratings of the targets `chosen` are asked for, if it is given; the others are NaN.
        """
        answers = {name: np.full(len(self._targets.target), np.nan) for name in ("rating", "prior", "extrapolation")}
        waiting: list[tuple[Places, Rows]] = []
        for asked in self._asked(kind, range(len(self._own)) if chosen is None else chosen):
            waiting.append(asked)
            if len(waiting) == BATCH:
                self._ask(waiting, answers)
                waiting = []
        self._ask(waiting, answers)
        return answers

    def _ask(self, waiting: list[tuple[Places, Rows]], answers: dict[str, Array]) -> None:
        for (places, _), predicted in zip(
            waiting, self._model.predict_together([rows for _, rows in waiting]), strict=True
        ):
            answers["rating"][places] = predicted.rating
            answers["prior"][places] = predicted.prior_rating
            answers["extrapolation"][places] = predicted.extrapolation

    def _asked(self, kind: str, chosen: Sequence[int]) -> Iterator[tuple[Places, Rows]]:
        """Yield the places of ratings, and the request for their movies."""
        if kind == "nothing":
            known = MemberFacts.nothing(self._model.schema)
            wanted = np.isin(self._targets.target, np.asarray(chosen))
            for movie in np.unique(self._targets.movie[wanted]):
                yield np.flatnonzero(wanted & (self._targets.movie == movie)), Rows(known, np.array([movie]))
            return
        for number in chosen:
            places = np.arange(len(self._targets.target))[self._own[number]]
            if kind in ("attributes", IN_SAMPLE):
                shown = places[:0] if kind == "attributes" else places
                yield places, Rows(self._facts(kind, number, shown), self._targets.movie[places])
                continue
            for half in (0, 1):
                asked, shown = (places[self._targets.half[places] == side] for side in (half, 1 - half))
                if len(asked):
                    yield asked, Rows(self._facts(kind, number, shown), self._targets.movie[asked])

    def _facts(self, kind: str, number: int, shown: Places) -> MemberFacts:
        nothing, unknown = MemberFacts.nothing(self._model.schema), np.full(len(shown), np.nan, np.float32)
        attributes = nothing.attributes if kind == "plays" else self._attributes[number]
        movies = self._targets.movie[shown].astype(np.int32)
        facts = MemberFacts(attributes, movies, unknown, unknown)
        most = len(shown) if kind == IN_SAMPLE else SHOWN.get(kind, 0)
        if not most or not len(shown):
            return facts
        rated = np.sort(shown[np.argsort(self._targets.order[shown])[:most]])
        return replace(
            facts,
            ratings=Ratings(
                self._targets.movie[rated].astype(np.int32), self._targets.rating[rated], np.full(len(rated), np.nan)
            ),
        )
