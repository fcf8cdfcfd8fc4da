"""What the prior is fitted to, by partition: plays of members, and ratings and views of raters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.columns import RATING
from features.movies import MEMBER, MOVIE
from model.facts.evidence import MemberEvidence
from training.data.dataset import Dataset
from training.data.never_rater_views import SHORT, Views
from training.data.passes.partitions import PARTITION_PLAYS, partition_members, rows_of_members
from training.fit.prior.visible_facts import VisibleFacts, facts_of_views, played

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
VIEWS = 3
"""Number of views of each rater."""


@dataclass(frozen=True)
class MemberPartition:
    """P members of one partition, among them U raters with V = 3 U views."""

    members: NDArray[np.int64]
    """(P,) row numbers of the members in the dataset."""
    plays: sparse.csr_array
    """(P, M) 1 for each play of a movie, in single precision."""
    raters: NDArray[np.int64]
    """(U,) row numbers of the raters in the dataset."""
    ratings: sparse.csr_array
    """(U, M) ratings, in single precision."""
    weight: Array
    """(U,) weight of each rater in the regressions, besides that of the number of ratings."""
    half: NDArray[np.int64]
    """(V,) which half of the member's plays each view shows, as in `Views`. A rater's views follow one another."""
    facts: VisibleFacts
    """Facts that the views show."""

    @property
    def owner(self) -> NDArray[np.int64]:
        """(V,) the rater of each view, 0 to U - 1."""
        return np.repeat(np.arange(len(self.raters)), VIEWS)

    def keeping(self, kept: Flags) -> "MemberPartition":
        """Return the partition with only the members selected by a mask of all members of the dataset."""
        members, raters = kept[self.members], kept[self.raters]
        views = np.flatnonzero(np.repeat(raters, VIEWS))
        return MemberPartition(
            self.members[members],
            self.plays[members],
            self.raters[raters],
            self.ratings[raters],
            self.weight[raters],
            self.half[views],
            self.facts.take(views),
        )

    def views_with(self, evidence: MemberEvidence, short: bool = True) -> NDArray[np.int64]:
        """Return the numbers of the views that show plays and attributes, as far as the evidence has them.

        Views of few plays are among them if `short` is True.
        """
        return np.flatnonzero(self.facts.show(evidence) & (short | (self.half != SHORT)))


def member_partitions(
    data: Dataset, views: Views, weight: Array | None, most_plays: int = PARTITION_PLAYS
) -> list[MemberPartition]:
    """Divide a dataset and the views of its raters; `weight` (N,) weights the members, equally if it is None."""
    movies, raters = len(data.movie_ids), views.member[::VIEWS]
    owner = {name: table[MEMBER].to_numpy() for name, table in (("plays", data.plays), ("ratings", data.ratings))}
    ranges = partition_members(np.bincount(owner["plays"], minlength=len(data.member_ids)), most_plays)
    of_plays, of_ratings = (rows_of_members(owner[name], ranges) for name in ("plays", "ratings"))
    partitions = []
    for members, plays, ratings, rated in zip(
        ranges, of_plays, of_ratings, rows_of_members(raters, ranges), strict=True
    ):
        own = raters[rated]
        place = np.searchsorted(own, owner["ratings"][ratings]).astype(np.int32)
        stars = data.ratings[RATING][ratings].to_numpy().astype(np.float32)
        pairs = place, data.ratings[MOVIE][ratings].to_numpy().astype(np.int32)
        shown = slice(VIEWS * rated.start, VIEWS * rated.stop)
        partitions.append(
            MemberPartition(
                np.arange(members.start, members.stop),
                played(
                    owner["plays"][plays] - members.start,
                    data.plays[MOVIE][plays].to_numpy(),
                    (members.stop - members.start, movies),
                ),
                own,
                sparse.csr_array((stars, pairs), shape=(len(own), movies)),
                np.ones(len(own)) if weight is None else weight[own],
                views.half[shown],
                facts_of_views(views, movies, shown),
            )
        )
    return partitions
