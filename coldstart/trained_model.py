"""A trained model in a notebook: predicts, ranks, explains, publishes itself, and shows its evaluation."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import polars as pl

from coldstart.errors import FrontError
from coldstart.frames import FrameKind, from_polars, kind_of, to_polars
from coldstart.jobs import DataDirectory
from coldstart.shown_evaluation import Evaluation
from features.values.attribute_value import Value, encode_attribute
from model.artifact.artifact import load_model
from model.facts.facts import MemberFacts, Play
from model.facts.member_key import MemberKey
from model.prediction.interview import movies_to_ask
from model.prediction.model import Model
from model.prediction.predictions import GROUPS
from model.store.store import Store
from training.versions.offline import COLUMNS, table_of_predictions, table_of_ranking

Plays: TypeAlias = Mapping[str, float | None] | Iterable[str] | None
"""Ids of played movies, or a mapping from ids to the share that was watched; None means unknown."""
Known = TypeVar("Known")
SUGGESTION_COLUMNS = {"movie_id": pl.String, "title": pl.String} | dict.fromkeys(
    ("probability_seen", "expected_width", "current_width"), pl.Float64
)
"""Columns and types of a frame of movies to ask for."""


class TrainedModel:
    """A version (one model, whole and checked) with the facts of the members that it was trained on.

    Frames come out in the library in which they were given: polars, pandas or Arrow.
    """

    def __init__(
        self, store: Store, version: str, frames: FrameKind, data: DataDirectory | None, key: MemberKey
    ) -> None:
        """Load a version of a store; `data` is what it was trained on, if that is at hand, and `key` hashes ids."""
        folder = store.fetch(version)
        self._model: Model = load_model(folder, key=key)
        self._folder, self._frames, self._data, self._key = folder, frames, data, key
        self.version = version
        """The version's name, the same for the same data, seed and libraries."""
        self.evaluation = Evaluation.read(folder / "report.json", folder / "report.html", frames)
        """How good its predictions are for raters who were held out."""

    @property
    def movies(self) -> Any:
        """A frame of the movies that the model knows: id, title, year, genres, whether they are rated, attributes."""
        from training.versions.exports.export_model import movies_table

        return from_polars(movies_table(self._model), self._frames)

    def predict(self, pairs: Any) -> Any:
        """Predict the ratings of pairs: a frame with the columns `member_id` and `movie_id`.

        Returns the pairs, in their order, with the rating, its 90 % interval (`lower`, `upper`), `probability_enjoyed`
        and what the prediction rests on. What is known of a member are the facts that were published with the model;
        an unknown member or movie is predicted, as by the service.
        """
        given = to_polars(pairs).select(pl.col("member_id", "movie_id").cast(pl.String)).with_row_index("place")
        tables = []
        for (member_id,), rows in given.group_by("member_id", maintain_order=True):
            facts, movie_ids = self._facts(str(member_id)), rows["movie_id"].to_list()
            movies = [self._model.catalogue.row(movie_id) for movie_id in movie_ids]
            predictions = self._model.predict(facts, movies)
            tables.append(table_of_predictions(str(member_id), movie_ids, predictions).with_columns(rows["place"]))
        if not tables:
            return from_polars(pl.DataFrame(schema=COLUMNS), kind_of(pairs))
        return from_polars(pl.concat(tables).sort("place").drop("place"), kind_of(pairs))

    def rank(
        self,
        member: str | int | None = None,
        *,
        attributes: Mapping[str, Value] | None = None,
        plays: Plays = None,
        ratings: Mapping[str, float] | None = None,
        size: int = 20,
        genres: Iterable[str] = (),
        years: tuple[int | None, int | None] = (None, None),
    ) -> Any:
        """Return the best movies that a member hasn't played, best first, as a frame.

        Args:
            member: Id of a member; None for one of whom only `attributes` and `plays` are known.
            attributes: Attributes of the member by name; they replace those that are published.
            plays: Ids of movies, or a mapping from ids to the share that was watched, added to those published.
            ratings: Ratings by movie id, on the scale of the data; added to those published.
            size: Number of movies.
            genres: Only movies of any of these genres.
            years: First and last release year; None for no limit.
        """
        facts = self._facts(member, attributes, plays, ratings)
        rows, predictions = self._model.rank(facts, self._allowed(genres, years), most=size)
        table = table_of_ranking("", self._model.catalogue, rows, predictions)
        return from_polars(table.drop("member_id"), self._frames)

    def explain(
        self,
        movie: str | int,
        member: str | int | None = None,
        *,
        attributes: Mapping[str, Value] | None = None,
        plays: Plays = None,
        ratings: Mapping[str, float] | None = None,
    ) -> Any:
        """Return what each group of facts adds to one prediction, in rating points, as a frame.

        The last row is the predicted rating, which is cut to the scale. The arguments are those of `rank`.
        """
        facts = self._facts(member, attributes, plays, ratings)
        explanation = self._model.explain(facts, self._model.catalogue.row(str(movie)))
        rows = [(part.group, GROUPS[part.group], part.rating) for part in explanation.parts]
        rows.append(("rating", "The predicted rating.", float(explanation.predictions.rating[0])))
        return from_polars(pl.DataFrame(rows, ["group", "description", "rating"], orient="row"), self._frames)

    def suggest(
        self,
        member: str | int | None = None,
        *,
        attributes: Mapping[str, Value] | None = None,
        plays: Plays = None,
        ratings: Mapping[str, float] | None = None,
        size: int = 10,
        movies: Iterable[str] | None = None,
        genres: Iterable[str] = (),
        years: tuple[int | None, int | None] = (None, None),
    ) -> Any:
        """Return the movies to ask a member to rate, best first: they would narrow all intervals most, as a frame.

        Each has the probability that the member has seen it, by which it is weighed, and the width of intervals that is
        expected once the member was asked for it and those before. `movies` are ids to choose from, None for all; the
        other arguments are those of `rank`.
        """
        facts, allowed = self._facts(member, attributes, plays, ratings), self._allowed(genres, years)
        if movies is not None:
            chosen = np.zeros(len(allowed), bool)
            chosen[[row for row, _ in self._known(dict.fromkeys(movies))]] = True
            allowed &= chosen
        interview, catalogue = movies_to_ask(self._model, facts, allowed, size), self._model.catalogue
        table = {
            "movie_id": [catalogue.movie_ids[row] for row in interview.rows],
            "title": [catalogue.titles[row] or None for row in interview.rows],
            "probability_seen": interview.probability_seen,
            "expected_width": interview.expected_width,
            "current_width": np.full(len(interview.rows), interview.current_width),
        }
        return from_polars(pl.DataFrame(table, SUGGESTION_COLUMNS), self._frames)

    def publish(self, models: str | Path, *, force: bool = False, candidate: bool = False, note: str = "") -> str:
        """Publish the model in a store, let the gate decide whether it serves, and return the outcome in one line.

        `models` is the folder or address that services read. `force` overrules the gate, and `candidate` offers the
        version beside the one that serves. Raises FrontError if the model was loaded, and so is published already.
        """
        if self._data is None:
            raise FrontError(
                f"version {self.version} was loaded from a store: `coldstart models promote` lets it serve"
            )
        from coldstart.publishing import publish_version

        return publish_version(
            self._folder, self._data.folder, self._model.manifest.seed, self.evaluation.report, models, self._key,
            force=force, candidate=candidate, note=note,
        )  # fmt: skip

    def _facts(
        self,
        member: str | int | None,
        attributes: Mapping[str, Value] | None = None,
        plays: Plays = None,
        ratings: Mapping[str, float] | None = None,
    ) -> MemberFacts:
        """Return what is known of a member: the published facts, with those that are given on top."""
        model = self._model
        schema = model.schema
        facts = (None if member is None else model.members.find(str(member))) or MemberFacts.nothing(schema)
        positions = {attribute.name: place for place, attribute in enumerate(schema.member_attributes)}
        given = {
            positions[name]: encode_attribute(schema.member_attributes[positions[name]], value)
            for name, value in (attributes or {}).items()
            if name in positions and value is not None
        }
        shares = plays if isinstance(plays, Mapping) else dict.fromkeys(plays or (), None)
        scale = schema.scale
        if any(not scale.low <= rating <= scale.high for rating in (ratings or {}).values()):
            raise ValueError(f"ratings must be within the scale, {scale.low:g} to {scale.high:g}")
        known = [
            *(Play(row, _share(share)) for row, share in self._known(shares)),
            *(Play(row, rating=rating) for row, rating in self._known(ratings or {})),
        ]
        return facts.with_attributes(given).with_plays(known, schema)

    def _known(self, movies: Mapping[str, Known]) -> Iterator[tuple[int, Known]]:
        """Yield the catalogue row and the value of each movie that the model knows."""
        for movie_id, value in movies.items():
            row = self._model.catalogue.row(str(movie_id))
            if row is not None:
                yield row, value

    def _allowed(self, genres: Iterable[str], years: tuple[int | None, int | None]) -> np.ndarray[Any, Any]:
        """Return a mask of the movies that pass the filters of a ranking."""
        catalogue, schema = self._model.catalogue, self._model.schema
        allowed = np.ones(len(catalogue), bool)
        if wanted := set(genres):
            columns = [place for place, genre in enumerate(schema.genres) if genre in wanted]
            allowed &= (catalogue.genres[:, columns] == 1).any(axis=1)
        if years[0] is not None:
            allowed &= catalogue.release_year >= years[0]
        if years[1] is not None:
            allowed &= catalogue.release_year <= years[1]
        return allowed

    def __repr__(self) -> str:
        counts = self._model.manifest.data
        return (
            f"coldstart model {self.version}: {counts['ratings']:,} ratings of {counts['raters']:,} members, "
            f"{counts['movies']:,} movies\n{self.evaluation!r}"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>coldstart model {self.version}</b></p>{self.evaluation._repr_html_()}"


def _share(share: float | None) -> float:
    return float("nan") if share is None else float(share)
