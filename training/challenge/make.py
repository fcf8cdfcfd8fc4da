"""Makes a challenge, a contest to predict held-out ratings, from a data directory: public data, questions, answers.

Some raters are held out and treated as if they had never rated (the never-rater protocol). About half of each held-out
rater's ratings become questions. The other rated movies are shown as plays or hidden, depending on the kind of evidence
assigned to the member.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.movies import MEMBER, MOVIE
from features.schema import Scale
from model.facts.facts import SECONDS_PER_DAY
from training.data.passes.partitions import partition_members
from training.data.passes.play_table import PlayTable
from training.data.reading.tables import Tables, temporary_tables
from training.data.writer import write_data_directory
from training.versions.provenance import fingerprint

PUBLIC, DATA, QUESTIONS = "public", "data", "questions.csv"
ANSWERS, MEMBERS_OF, ABOUT = "answers", "members.parquet", "challenge.json"
ANSWERS_FILE = "answers.parquet"
EVIDENCE = ("nothing", "attributes", "plays", "attributes and plays")
PARTS = ("quiz", "test")
QUESTION, KIND, PART, PUBLIC_ID = "question", "evidence", "part", "public_id"

RULES = """\
# The challenge

Predict how members who never rated enjoyed movies. `data/` is what you may learn from: `members`, `movies`, `ratings`
and `plays`, as Parquet tables. `questions.csv` names the pairs of member and movie to predict: of some members in it
nothing is known, of some attributes, of some plays, of some both.

Hand in a CSV or Parquet file with the columns `question` and `rating`, one row for every question; `member_id` and
`movie_id` in place of `question` will do too. Ratings outside {low:g} to {high:g} are cut to that.

You are scored by the root mean squared error, and by how much lower it is than that of the movies' means. Half of the
members make up the quiz, whose score is told each time; the others make up the test, whose score is told in the end.
Which are which is not told.
"""


BLOCK_PLAYS = 2_000_000
"""Number of plays of the public data that are in memory at once, some 500 MB; a challenge of more is made in as many
passes."""


@dataclass(frozen=True)
class Challenge:
    """The tables of a challenge: public data, questions with their answers, and the members' new ids."""

    public: Iterable[Mapping[str, pl.DataFrame]]
    """Tables of the public data directory, by name, in parts that have the next rows of some tables. Members have new
    ids."""
    answers: pl.DataFrame
    """Columns question, member_id, movie_id, rating, evidence and part. The first three are published as questions."""
    member_ids: pl.DataFrame
    """New id (public_id) and original id (member_id) of every member."""


def make_challenge(
    tables: Tables, share: float, random: np.random.Generator, most_plays: int = BLOCK_PLAYS
) -> Challenge:
    """Return a challenge in which the ratings of a share of the raters are held out, to be predicted.

    The held-out raters are assigned to the kinds of evidence and the parts (quiz and test) in turn. All members get new
    ids in random order. About `most_plays` plays are in memory at once.
    """
    raters = tables.play_table.raters
    order = random.permutation(len(raters))[: max(round(share * len(raters)), len(EVIDENCE) * len(PARTS))]
    held_out = _assigned(tables, raters[order])
    targets = _targets(tables.play_table, held_out, random)
    numbers = random.permutation(len(tables.member_ids))
    width = len(str(len(numbers)))
    new_ids = pl.Series(PUBLIC_ID, [f"p{number:0{width}}" for number in numbers], dtype=pl.String)
    answers = _renamed(targets, new_ids, tables).with_columns(pl.int_range(1, pl.len() + 1).alias(QUESTION))
    return Challenge(
        _public(tables, held_out, targets.select(MEMBER, MOVIE), new_ids, most_plays),
        answers.select(QUESTION, MEMBER_ID, MOVIE_ID, RATING, KIND, PART),
        pl.DataFrame([new_ids, tables.member_ids]).sort(PUBLIC_ID),
    )


def write_challenge(out: Path, challenge: Challenge, scale: Scale, options: Mapping[str, float]) -> None:
    """Write the folder of a challenge atomically: the public data and questions, and the answers.

    `out` is an absolute path that is new or an empty folder. `options` are written to `challenge.json`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
        public, answers = Path(beside) / "challenge" / PUBLIC, Path(beside) / "challenge" / ANSWERS
        _write_public(public, challenge, scale)
        answers.mkdir()
        challenge.answers.write_parquet(answers / ANSWERS_FILE)
        challenge.member_ids.write_parquet(answers / MEMBERS_OF)
        with temporary_tables(public / DATA) as tables:
            data = fingerprint(tables)
        about = {**options, "fingerprint": data, "low": scale.low, "high": scale.high}
        (answers / ABOUT).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        public.parent.rename(out)


def _write_public(public: Path, challenge: Challenge, scale: Scale) -> None:
    """Write the rules, the training data and the questions (member-movie pairs to predict)."""
    public.mkdir(parents=True)
    limits = f"scale = [{scale.low!r}, {scale.high!r}]\n" if scale.low < scale.high else ""
    schema = f"[ratings]\n{limits}enjoyed_from = {scale.enjoyed_from!r}\n"
    write_data_directory(public / DATA, challenge.public, "the public part of a challenge", schema)
    challenge.answers.select(QUESTION, MEMBER_ID, MOVIE_ID).write_csv(public / QUESTIONS)
    (public / "README.md").write_text(RULES.format(low=scale.low, high=scale.high), encoding="utf-8")


def _assigned(tables: Tables, held_out: NDArray[np.int64]) -> pl.DataFrame:
    """Return what is to be known of each held-out member (evidence), and whether they are in the quiz or the test.

    The table has the columns member (row number), evidence and part. The evidence of members without attributes
    excludes attributes.
    """
    attributes = [pl.col(name).is_not_null() for name in tables.members.columns if name != MEMBER_ID]
    described = tables.members.filter(pl.any_horizontal(attributes) if attributes else pl.lit(False))[MEMBER_ID]
    position = pl.int_range(pl.len())
    kinds, parts = (pl.Series(names, dtype=pl.Enum(names)) for names in (EVIDENCE, PARTS))
    rows = pl.DataFrame({MEMBER: held_out.astype(np.int32)}).with_columns(
        position.mod(len(EVIDENCE)).alias("kind"),
        (position // len(EVIDENCE)).mod(len(PARTS)).alias("half"),
        tables.member_ids.gather(held_out).is_in(described.implode()).alias("described"),
    )
    kind = pl.when("described").then(pl.col("kind")).otherwise(pl.col("kind") - pl.col("kind").mod(2))
    rows = rows.with_columns(kind)
    return rows.select(MEMBER, kinds.gather(rows["kind"]).alias(KIND), parts.gather(rows["half"]).alias(PART))


def _targets(table: PlayTable, held_out: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Draw half of the held-out members' ratings, to be predicted, with the evidence and part of each.

    Members without visible plays don't count as having plays.
    """
    parts, has_plays = [], np.zeros(len(table.plays), bool)
    for rows in table.read():
        rated = rows.filter(pl.col(RATING).is_not_null())
        asked = rated.filter(pl.Series(random.random(len(rated)) < 0.5)).join(held_out, on=MEMBER)
        has_plays[_visible(rows, held_out, asked)[MEMBER].to_numpy()] = True
        parts.append(asked.select(MEMBER, MOVIE, RATING, KIND, PART))
    targets = pl.concat(parts)
    without = pl.col(KIND).replace({EVIDENCE[2]: EVIDENCE[0], EVIDENCE[3]: EVIDENCE[1]})
    visible = pl.Series(has_plays[targets[MEMBER].to_numpy()])
    return targets.with_columns(pl.when(visible).then(KIND).otherwise(without).alias(KIND))


def _visible(plays: pl.DataFrame, held_out: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Return the plays without those of the ratings to predict and of members of whom no plays are to be known."""
    without_plays = held_out.filter(pl.col(KIND).is_in(EVIDENCE[:2]))
    return plays.join(without_plays, on=MEMBER, how="anti").join(targets, on=[MEMBER, MOVIE], how="anti")


def _public(
    tables: Tables, held_out: pl.DataFrame, targets: pl.DataFrame, new_ids: pl.Series, most_plays: int
) -> Iterator[Mapping[str, pl.DataFrame]]:
    """Yield members and movies, then ratings and plays in the order of the members' new ids."""
    without_attributes = held_out.filter(pl.col(KIND).is_in(EVIDENCE[::2]))[MEMBER]
    ids = pl.DataFrame([new_ids, tables.member_ids])
    described = tables.members.join(
        ids.filter(~pl.int_range(pl.len()).is_in(without_attributes.implode())), on=MEMBER_ID
    )
    members = described.with_columns(pl.col(PUBLIC_ID).alias(MEMBER_ID)).drop(PUBLIC_ID).sort(MEMBER_ID)
    yield {"members": members, "movies": tables.movies}
    order = new_ids.arg_sort().to_numpy()
    for block in partition_members(tables.play_table.plays[order], most_plays):
        is_own = np.zeros(len(order), bool)
        is_own[order[block]] = True
        plays = tables.play_table.of_members(is_own).collect()
        member = np.flatnonzero(is_own)[plays[MEMBER].to_numpy()].astype(np.int32)
        plays = plays.with_columns(pl.Series(MEMBER, member))
        ratings = plays.filter(pl.col(RATING).is_not_null()).join(held_out, on=MEMBER, how="anti")
        visible = _visible(plays, held_out, targets[np.flatnonzero(is_own[targets[MEMBER].to_numpy()])])
        yield {
            "ratings": _renamed(ratings, new_ids, tables).select(MEMBER_ID, MOVIE_ID, RATING, _day(RATED_AT)),
            "plays": _renamed(visible, new_ids, tables).select(MEMBER_ID, MOVIE_ID, _day(PLAYED_AT), COMPLETION),
        }


def _renamed(rows: pl.DataFrame, new_ids: pl.Series, tables: Tables) -> pl.DataFrame:
    """Return rows with new ids of members, sorted by them, so that the order doesn't reveal the original ids."""
    place = new_ids.rank("ordinal").cast(pl.Int32)
    ordered = rows.with_columns(place.gather(rows[MEMBER]).alias("place")).sort("place", MOVIE).drop("place")
    member_ids, movie_ids = new_ids.gather(ordered[MEMBER]), tables.movies[MOVIE_ID].gather(ordered[MOVIE])
    return ordered.with_columns(member_ids.alias(MEMBER_ID), movie_ids.alias(MOVIE_ID))


def _day(column: str) -> pl.Expr:
    """Return an expression that rounds a column of times down to the day.

    An exact time known from elsewhere could identify a member.
    """
    return (pl.col(column) / SECONDS_PER_DAY).floor() * SECONDS_PER_DAY
