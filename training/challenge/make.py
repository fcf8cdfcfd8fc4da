"""Makes a challenge, a contest to predict held-out ratings, from a data directory: public data, questions, answers.

Some raters are held out and treated as if they had never rated (the never-rater protocol). About half of each held-out
rater's ratings become questions. The other rated movies are shown as plays or hidden, depending on the kind of evidence
assigned to the member.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.schema import Scale
from training.data.reading.tables import Tables, read_tables
from training.data.writer import write_data_directory
from training.versions.provenance import fingerprint

PUBLIC, DATA, QUESTIONS = "public", "data", "questions.csv"
ANSWERS, MEMBERS_OF, ABOUT = "answers", "members.parquet", "challenge.json"
ANSWERS_FILE = "answers.parquet"
EVIDENCE = ("nothing", "attributes", "plays", "attributes and plays")
PARTS = ("quiz", "test")
QUESTION, KIND, PART, PUBLIC_ID = "question", "evidence", "part", "public_id"
DAY_SECONDS = 86_400.0

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


@dataclass(frozen=True)
class Challenge:
    """The tables of a challenge: public data, questions with their answers, and the members' new ids."""

    public: Mapping[str, pl.DataFrame]
    """Tables of the public data directory, by name. Members have new ids."""
    answers: pl.DataFrame
    """Columns question, member_id, movie_id, rating, evidence and part. The first three are published as questions."""
    member_ids: pl.DataFrame
    """New id (public_id) and original id (member_id) of every member."""


def make_challenge(tables: Tables, share: float, random: np.random.Generator) -> Challenge:
    """Return a challenge in which the ratings of a share of the raters are held out, to be predicted.

    The held-out raters are assigned to the kinds of evidence and the parts (quiz and test) in turn. All members get new
    ids in random order.
    """
    raters = tables.ratings[MEMBER_ID].unique().sort()
    order = random.permutation(len(raters))[: max(round(share * len(raters)), len(EVIDENCE) * len(PARTS))]
    held_out = _assigned(tables, raters.gather(pl.Series(order)))
    asked = pl.Series(random.random(len(tables.ratings)) < 0.5)
    targets = tables.ratings.filter(asked).join(held_out, on=MEMBER_ID)
    without_plays = held_out.filter(~pl.col(KIND).str.contains("plays"))
    plays = tables.plays.join(without_plays, on=MEMBER_ID, how="anti")
    plays = plays.join(targets, on=[MEMBER_ID, MOVIE_ID], how="anti")
    targets = _with_visible_evidence(targets, plays)
    without_attributes = held_out.filter(~pl.col(KIND).str.contains("attributes"))
    everyone = pl.concat([getattr(tables, name)[MEMBER_ID].unique() for name in ("members", "ratings", "plays")])
    new_ids = _new_ids(everyone.unique().sort(), random)
    public = {
        "members": tables.members.join(without_attributes, on=MEMBER_ID, how="anti"),
        "ratings": tables.ratings.join(held_out, on=MEMBER_ID, how="anti").with_columns(_day(RATED_AT)),
        "plays": plays.with_columns(_day(PLAYED_AT)),
    }
    renamed = {name: _renamed(rows, new_ids) for name, rows in public.items()} | {"movies": tables.movies}
    answers = _renamed(targets, new_ids).with_columns(pl.int_range(1, pl.len() + 1).alias(QUESTION))
    return Challenge(renamed, answers.select(QUESTION, MEMBER_ID, MOVIE_ID, RATING, KIND, PART), new_ids)


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
        data = fingerprint(read_tables(public / DATA))
        about = {**options, "fingerprint": data, "low": scale.low, "high": scale.high}
        (answers / ABOUT).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        public.parent.rename(out)


def _write_public(public: Path, challenge: Challenge, scale: Scale) -> None:
    """Write the rules, the training data and the questions (member-movie pairs to predict)."""
    public.mkdir(parents=True)
    limits = f"scale = [{scale.low!r}, {scale.high!r}]\n" if scale.low < scale.high else ""
    schema = f"[ratings]\n{limits}enjoyed_from = {scale.enjoyed_from!r}\n"
    write_data_directory(public / DATA, [challenge.public], "the public part of a challenge", schema)
    challenge.answers.select(QUESTION, MEMBER_ID, MOVIE_ID).write_csv(public / QUESTIONS)
    (public / "README.md").write_text(RULES.format(low=scale.low, high=scale.high), encoding="utf-8")


def _assigned(tables: Tables, held_out: pl.Series) -> pl.DataFrame:
    """Return what is to be known of each held-out member (evidence), and whether they are in the quiz or the test.

    The table has the columns member_id, evidence and part. The evidence of members without attributes excludes
    attributes.
    """
    attributes = [pl.col(name).is_not_null() for name in tables.members.columns if name != MEMBER_ID]
    described = tables.members.filter(pl.any_horizontal(attributes) if attributes else pl.lit(False))[MEMBER_ID]
    position = pl.int_range(pl.len())
    kinds, parts = pl.Series(EVIDENCE), pl.Series(PARTS)
    rows = pl.DataFrame({MEMBER_ID: held_out}).with_columns(
        position.mod(len(EVIDENCE)).alias("kind"),
        (position // len(EVIDENCE)).mod(len(PARTS)).alias("half"),
        pl.col(MEMBER_ID).is_in(described.implode()).alias("described"),
    )
    kind = pl.when("described").then(pl.col("kind")).otherwise(pl.col("kind") - pl.col("kind").mod(2))
    rows = rows.with_columns(kind)
    return rows.select(MEMBER_ID, kinds.gather(rows["kind"]).alias(KIND), parts.gather(rows["half"]).alias(PART))


def _with_visible_evidence(targets: pl.DataFrame, plays: pl.DataFrame) -> pl.DataFrame:
    """Return the ratings to predict, in which members without visible plays don't count as having plays."""
    visible = pl.col(MEMBER_ID).is_in(plays[MEMBER_ID].unique().implode())
    without = {EVIDENCE[2]: EVIDENCE[0], EVIDENCE[3]: EVIDENCE[1]}
    return targets.with_columns(pl.when(visible).then(KIND).otherwise(pl.col(KIND).replace(without)).alias(KIND))


def _new_ids(member_ids: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    numbers: NDArray[np.int64] = random.permutation(len(member_ids))
    width = len(str(len(member_ids)))
    ids = pl.Series([f"p{number:0{width}}" for number in numbers], dtype=pl.String)
    return pl.DataFrame({PUBLIC_ID: ids, MEMBER_ID: member_ids}).sort(PUBLIC_ID)


def _renamed(rows: pl.DataFrame, new_ids: pl.DataFrame) -> pl.DataFrame:
    """Return rows with new member ids, sorted by the new ids, so that their order doesn't reveal the original ids."""
    order = [MEMBER_ID, *([MOVIE_ID] if MOVIE_ID in rows.columns else [])]
    renamed = rows.join(new_ids, on=MEMBER_ID).drop(MEMBER_ID).rename({PUBLIC_ID: MEMBER_ID})
    return renamed.select(rows.columns).sort(order)


def _day(column: str) -> pl.Expr:
    """Return an expression that rounds a column of times down to the day.

    An exact time known from elsewhere could identify a member.
    """
    return (pl.col(column) / DAY_SECONDS).floor() * DAY_SECONDS
