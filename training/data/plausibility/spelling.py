"""Checks whether two tables write the same ids in the same way."""

from dataclasses import dataclass

import polars as pl

from training.errors import Problem

LEAST_SHARE = 0.1
"""Share of ids in both tables below which they are compared in other spellings."""

LEAST_OTHER_SHARE = 0.01
"""Minimum share of ids in another spelling. A smaller share may be alike by chance."""

FEWEST_IDS = 20
"""Number of ids from which a low share is unusual."""

UUID = r"^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$"
THOUSANDS = r"^\d{1,3}(,\d{3})+$"
"""Pattern of whole numbers with separators of thousands."""

REMEDY = "write each id in the same way in all tables: white space, case, dashes, decimals, leading zeros and Unicode"


@dataclass(frozen=True)
class Spellings:
    """Ids of a table that another table has in another spelling."""

    ids: int
    """Number of distinct ids in the table."""
    matched: int
    """Number of ids that the other table has too."""
    pairs: pl.DataFrame
    """`id` and `other`: the ids that the other table has in another spelling only, and that spelling, sorted by id."""

    @property
    def example(self) -> str | None:
        """One id in both spellings, or None if there is none."""
        return None if self.pairs.is_empty() else "{!r} and {!r}".format(*self.pairs.row(0))


def compare_spellings(ids: pl.Series, known: pl.Series) -> Spellings:
    """Compare the ids of one table with those of another; both are distinct and not null."""
    own, others = pl.DataFrame({"id": ids}), pl.DataFrame({"other": known})
    unknown = own.join(others, left_on="id", right_on="other", how="anti")
    spelled = others.with_columns(plain("other").alias("plain")).unique("plain", keep="any")
    pairs = unknown.with_columns(plain("id").alias("plain")).join(spelled, on="plain")
    return Spellings(len(own), len(own) - len(unknown), pairs.select("id", "other").sort("id", "other"))


def plain(column: str) -> pl.Expr:
    """Return an expression for ids without the differences that exports make.

    These are white space at both ends, quotes and braces, case, composed and decomposed characters, the kind of dashes,
    hyphens of UUIDs, decimals of whole numbers, separators of thousands and leading zeros.
    """
    trimmed = pl.col(column).str.normalize("NFKC").str.strip_chars("\ufeff\u200b\"'{}").str.strip_chars()
    dashed = trimmed.str.to_lowercase().str.replace_all(r"[\p{Pd}_\s]+", "-")
    uuid = dashed.str.replace(UUID, "${1}${2}${3}${4}${5}")
    whole = uuid.str.replace(r"(\d)\.0+$", "${1}")
    joined = pl.when(whole.str.contains(THOUSANDS)).then(whole.str.replace_all(",", "", literal=True)).otherwise(whole)
    return joined.str.replace(r"^[+]?0+(\d+)$", "${1}")


def check_spelling(table: str, people: str, ids: pl.Series, known: pl.Series) -> list[Problem]:
    """Return a problem if few members of a table have one of the known ids, but more would in another spelling.

    `people` says what the members of the table do, and where they are known, for the message. `ids` and `known` are
    distinct and not null. If few ids match in any spelling, or many match, there is only a warning.
    """
    spellings = compare_spellings(ids, known)
    others = len(spellings.pairs)
    is_low = spellings.matched < LEAST_SHARE * spellings.ids
    text = f"only {spellings.matched:,} of {spellings.ids:,} members who {people}"
    if others and others >= max(LEAST_OTHER_SHARE * spellings.ids, spellings.matched if is_low else 0):
        text += f"; {others:,} more would be if their ids were written in the same way"
        return [Problem(table, text, ids.name, example=spellings.example, remedy=REMEDY, is_warning=not is_low)]
    return [Problem(table, text, ids.name, is_warning=True)] if is_low and spellings.ids >= FEWEST_IDS else []
