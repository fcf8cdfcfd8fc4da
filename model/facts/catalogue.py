"""The catalogue: the movies of a model by id, with their descriptions."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from model.facts.facts import MovieFacts


class Catalogue:
    """M movies in the order of the model's rows; G genres."""

    def __init__(
        self,
        movie_ids: Sequence[str],
        rated: NDArray[np.bool_],
        release_year: NDArray[np.float32],
        genres: NDArray[np.float32],
        attributes: NDArray[np.float32],
    ) -> None:
        self.movie_ids = list(movie_ids)
        """(M,) ids."""
        self.rated = rated
        """(M,) whether the training data has ratings of it."""
        self.release_year = release_year
        """(M,) NaN where unknown."""
        self.genres = genres
        """(M, G) 1 for its genres; a row of NaN where they are not known."""
        self.attributes = attributes
        """(M, B) category numbers or numbers; NaN where unknown."""
        self.described = np.isfinite(release_year) | np.isfinite(attributes).any(axis=1)
        """(M,) whether anything but the id is known."""
        if genres.shape[1]:
            self.described |= np.isfinite(genres[:, 0])
        self._row = {movie_id: row for row, movie_id in enumerate(self.movie_ids)}

    def __len__(self) -> int:
        return len(self.movie_ids)

    def facts(self, row: int) -> MovieFacts:
        """The description of the movie in a row."""
        return MovieFacts(float(self.release_year[row]), self.genres[row], self.attributes[row])

    def asked(self, movie_id: str, described: MovieFacts | None, played: NDArray[np.int32]) -> int | MovieFacts | None:
        """The row of the catalogue, or the description, from which a movie is predicted for a member with these plays.

        The row for a rated movie, and for one that the member played, since only a row can be taken out of the plays.
        For other movies of the catalogue, the given description over the known one, field by field, or the row where
        that changes nothing. For movies outside the catalogue, the given description.
        """
        row = self.row(movie_id)
        if row is None or described is None or self.rated[row] or row in played:
            return described if row is None else row
        known = self.facts(row)
        merged = described.over(known)
        return row if merged.same_as(known) else merged

    def row(self, movie_id: str) -> int | None:
        """The row of the movie with this id, None where the catalogue lacks it."""
        return self._row.get(movie_id)

    def rows(self, movie_ids: Iterable[str]) -> list[int | None]:
        """The row of each of the movies."""
        return list(map(self._row.get, movie_ids))
