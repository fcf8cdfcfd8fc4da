"""The catalogue: the movies that a model knows, by id, with title, year, genres and attributes."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from model.facts.facts import MovieFacts


class Catalogue:
    """The M movies of a model, with G genres and B attributes; a movie has the same row in all arrays of the model."""

    def __init__(
        self,
        movie_ids: Sequence[str],
        rated: NDArray[np.bool_],
        release_year: NDArray[np.float32],
        genres: NDArray[np.float32],
        attributes: NDArray[np.float32],
        titles: Sequence[str] = (),
    ) -> None:
        self.movie_ids = list(movie_ids)
        """(M,) ids of the movies."""
        self.rated = rated
        """(M,) whether the training data has ratings of the movie."""
        self.release_year = release_year
        """(M,) year, NaN if unknown."""
        self.genres = genres
        """(M, G) 1 for each genre of the movie, else 0; a row of NaN if its genres are unknown."""
        self.attributes = attributes
        """(M, B) category numbers or numeric values; NaN if unknown."""
        if titles and len(titles) != len(movie_ids):
            raise ValueError("the catalogue has another number of titles than of movies")
        self.titles = list(titles) or [""] * len(self.movie_ids)
        """(M,) titles for people, on which no prediction depends; empty if unknown, as in versions without them."""
        self.described = np.isfinite(release_year) | np.isfinite(attributes).any(axis=1)
        """(M,) whether the year, the genres or an attribute is known."""
        if genres.shape[1]:
            self.described |= np.isfinite(genres[:, 0])
        self._row = {movie_id: row for row, movie_id in enumerate(self.movie_ids)}

    def __len__(self) -> int:
        return len(self.movie_ids)

    def facts(self, row: int) -> MovieFacts:
        """Return the year, genres and attributes of the movie in a row of the catalogue."""
        return MovieFacts(float(self.release_year[row]), self.genres[row], self.attributes[row])

    def asked(self, movie_id: str, described: MovieFacts | None, played: NDArray[np.int32]) -> int | MovieFacts | None:
        """Return how to predict a requested movie: by catalogue row or by description; None if nothing is known of it.

        `movie_id` and `described` (None if not given) are what the request says of the movie, and `played` (P,) are the
        rows of the movies that the member has played. A movie outside the catalogue is predicted by its description. A
        movie in the catalogue is predicted by its row if it has ratings or was played. For any other movie, `described`
        is completed from the catalogue; if the result equals the description in the catalogue, the row is returned.
        """
        row = self.row(movie_id)
        if row is None or described is None or self.rated[row] or row in played:
            return described if row is None else row
        known = self.facts(row)
        merged = described.over(known)
        return row if merged.same_as(known) else merged

    def title(self, movie_id: str) -> str:
        """Return the title of the movie with this id; empty if it has none or isn't in the catalogue."""
        row = self._row.get(movie_id)
        return "" if row is None else self.titles[row]

    def row(self, movie_id: str) -> int | None:
        """Return the row of the movie with this id; None if it isn't in the catalogue."""
        return self._row.get(movie_id)

    def rows(self, movie_ids: Iterable[str]) -> list[int | None]:
        """Return the rows of the movies with these ids, in order; None for an id that isn't in the catalogue."""
        return list(map(self._row.get, movie_ids))
