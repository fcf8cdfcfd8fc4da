"""What a model is fitted to, by partition: plays of members, and ratings and views of raters."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.columns import RATING
from features.movies import MEMBER, MOVIE
from model.facts.evidence import MemberEvidence
from training.data.never_rater_views import SHORT, VIEWS, Views, divided, make_views
from training.data.passes.array_files import Arrays, read_arrays, write_arrays
from training.data.passes.passes import Passes
from training.data.passes.play_table import Partition, PlayTable, with_ages
from training.data.passes.visible_facts import ShownKinds, VisibleFacts, facts_of_views, played

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


SHARE_OF_VIEWS = 0.25
"""Share of the memory for files that those of views and plays may fill, since those of ratings are read more often."""


@dataclass(frozen=True)
class SeenPlays:
    """What the V = 3 U views of a partition's raters show and hide."""

    facts: VisibleFacts
    """Facts that the views show."""
    hidden_view: NDArray[np.int32]
    """(T,) view of each rating to predict."""
    hidden_movie: NDArray[np.int32]
    """(T,) its movie."""
    hidden_rating: NDArray[np.float32]
    """(T,) the rating."""


@dataclass(frozen=True)
class MemberPartition:
    """Members of one partition, among them U raters with V = 3 U views, whose arrays are in files."""

    folder: Path
    """Folder of the files."""
    number: int
    """Number of the partition."""
    members: slice
    """Row numbers of the P members in the dataset."""
    raters: Places
    """(U,) row numbers of the raters in the dataset."""
    movies: int
    """Number M of movies."""
    kinds: ShownKinds
    """Which kinds of facts each view shows."""

    def __len__(self) -> int:
        """Return the number V of views."""
        return VIEWS * len(self.raters)

    def ratings(self) -> sparse.csc_array:
        """Return the (U, M) ratings of the raters, in single precision.

        They are stored by movie: sums over a partition's few raters stay in the processor's cache, unlike those over
        all movies. Raises DamagedPartition if the file is damaged.
        """
        return read_arrays(self._file("ratings"), partial(_ratings, len(self.raters), self.movies))

    def plays(self) -> sparse.csc_array:
        """Return (P, M) 1 for each play of a movie, stored as the ratings. Raises DamagedPartition likewise."""
        make = partial(_plays, self.members.stop - self.members.start, self.movies)
        return read_arrays(self._file("plays"), make, SHARE_OF_VIEWS)

    def seen(self) -> SeenPlays:
        """Return what the views show and hide. Raises DamagedPartition if the file is damaged."""
        return read_arrays(self._file("views"), partial(_seen, self.movies), SHARE_OF_VIEWS)

    def write(
        self, plays: sparse.csc_array, ratings: sparse.csc_array, facts: VisibleFacts, targets: pl.DataFrame
    ) -> None:
        """Write the files, from plays (P, M), ratings (U, M), and what the views show and hide."""
        columns = {name: targets[name].to_numpy() for name in targets.columns}
        write_arrays(
            self._file("ratings"),
            {
                "rater": ratings.indices,
                "rater_ends": ratings.indptr,
                "rating": ratings.data,
            },
        )
        write_arrays(self._file("plays"), {"member": plays.indices, "member_ends": plays.indptr})
        write_arrays(
            self._file("views"),
            {
                "visible": facts.plays.indices,
                "visible_ends": facts.plays.indptr,
                "own": facts.own,
                "attributes": facts.attributes,
                "hidden_view": columns["view"].astype(np.int32),
                "hidden_movie": columns["movie"].astype(np.int32),
                "hidden_rating": columns["rating"].astype(np.float32),
            },
        )

    def _file(self, name: str) -> Path:
        return self.folder / f"{self.number:06}-{name}.arrays"


class PreparedPartition(NamedTuple):
    """A partition whose files are written, and what the whole data are summed up from."""

    partition: MemberPartition
    views: Views
    """Views of the raters to predict."""
    steps: Array
    """Distinct ratings, ascending."""


def prepare_partitions(
    passes: Passes,
    folder: Path,
    plays: PlayTable,
    attributes: NDArray[np.float32],
    movies: int,
    end: float | None,
    seed: int,
    predicted: Flags,
) -> list[PreparedPartition]:
    """Write the files of all partitions of N members to a folder, with views drawn by `seed`.

    `attributes` is (N, A), `movies` the number of movies, `end` the end of the data in seconds since 1970 UTC, and
    `predicted` (N,) selects the raters whose views are returned, too.
    """
    return passes.collect(
        partial(_prepare, folder, seed, end, movies),
        range(len(plays.partitions)),
        plays.partitions,
        [attributes[part.members] for part in plays.partitions],
        [predicted[part.members] for part in plays.partitions],
    )


def views_with(kinds: ShownKinds, kept: Flags, evidence: MemberEvidence, short: bool = True) -> Places:
    """Return the numbers of the views that show plays and attributes, as far as the evidence has them.

    `kept` (U,) selects raters. Views of few plays are among them if `short` is True.
    """
    shows = kinds.cover(evidence) & kept.repeat(VIEWS)
    if not short:
        shows[SHORT::VIEWS] = False
    return np.flatnonzero(shows)


def views_of(kept: Flags) -> Places:
    """Return the numbers of all views of the raters selected by a (U,) mask."""
    return np.flatnonzero(kept.repeat(VIEWS))


def movie_of_each(values: sparse.csc_array) -> NDArray[np.int64]:
    """Return the movie of each rating or play of a partition, of which `values.indices` are the members."""
    return np.arange(values.shape[1]).repeat(np.diff(values.indptr))


def _prepare(
    folder: Path,
    seed: int,
    end: float | None,
    movies: int,
    number: int,
    stored: Partition,
    attributes: NDArray[np.float32],
    predicted: Flags,
) -> PreparedPartition:
    random = np.random.default_rng([seed, 1, number])
    rows = stored.read()
    plays = with_ages(divided(rows, random), end)
    rated = plays.filter(pl.col(RATING).is_not_null())
    own = rated[MEMBER].unique().sort().to_numpy().astype(np.int64)
    raters = own + stored.members.start
    views = make_views(plays, raters, attributes[own], random)
    facts = facts_of_views(views, movies, slice(0, VIEWS * len(raters)))
    partition = MemberPartition(folder, number, stored.members, raters, movies, facts.kinds)
    stars = rated[RATING].to_numpy()
    pairs = rated["rater"].to_numpy().astype(np.int32), rated[MOVIE].to_numpy()
    ratings = sparse.csc_array((stars.astype(np.float32), pairs), shape=(len(own), movies))
    shape = len(stored), movies
    of_members = played(rows[MEMBER].to_numpy(), rows[MOVIE].to_numpy(), shape).tocsc()
    partition.write(of_members, ratings, facts, views.targets)
    return PreparedPartition(partition, views.only(predicted[own].repeat(VIEWS)), np.unique(stars))


def _ratings(raters: int, movies: int, arrays: Arrays) -> sparse.csc_array:
    return sparse.csc_array((arrays["rating"], arrays["rater"], arrays["rater_ends"]), shape=(raters, movies))


def _plays(members: int, movies: int, arrays: Arrays) -> sparse.csc_array:
    member, ends = arrays["member"], arrays["member_ends"]
    return sparse.csc_array((np.ones(len(member), np.float32), member, ends), shape=(members, movies))


def _seen(movies: int, arrays: Arrays) -> SeenPlays:
    visible, ends = arrays["visible"], arrays["visible_ends"]
    plays = sparse.csr_array((np.ones(len(visible), np.float32), visible, ends), shape=(len(ends) - 1, movies))
    facts = VisibleFacts(plays, arrays["own"], arrays["attributes"])
    hidden = (arrays[f"hidden_{name}"] for name in ("view", "movie", "rating"))
    return SeenPlays(facts, *hidden)
