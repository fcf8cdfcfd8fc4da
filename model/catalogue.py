"""The movies that a model knows by id."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


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
        """(M,) whether raters that the model learned from rated it."""
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

    def row(self, movie_id: str) -> int | None:
        """The row of the movie with this id, None where the catalogue lacks it."""
        return self._row.get(movie_id)
