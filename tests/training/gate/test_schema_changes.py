"""What the gate says of a schema that differs from that of the current version."""

from dataclasses import replace

import polars as pl
import pytest

from features.schema import Scale
from training.data.dataset import make_dataset
from training.data.infer_schema import infer_schema
from training.data.reading.schema_file import SchemaSettings
from training.data.reading.tables import Tables
from training.gate.gate_settings import GateSettings
from training.gate.kept_out import KEY, split
from training.gate.schema_changes import Change, Outcome, schema_changes

LIMITS = GateSettings()
HELD_BACK, STATED, NEW, UNCHANGED = Outcome.HELD_BACK, Outcome.STATED, Outcome.NEW, Outcome.UNCHANGED


@pytest.fixture(scope="module")
def learned(small) -> Tables:
    """The tables that the model of the small sample was trained on, without a schema.toml."""
    return replace(split(small.tables, KEY, LIMITS.share).training, stated=SchemaSettings())


def changes(small, tables: Tables, scale: Scale | None = None) -> list[Change]:
    """The changes from the model of the small sample, or from one with another scale, to a model of the tables."""
    schema, _ = infer_schema(tables)
    current = replace(small.model, schema=replace(small.model.schema, scale=scale or small.model.schema.scale))
    return list(schema_changes(schema, tables, current, LIMITS.least_data_kept))


def outcomes(small, tables: Tables, scale: Scale | None = None) -> dict[str, Outcome]:
    """The outcome by subject; each subject has one change."""
    seen = changes(small, tables, scale)
    assert len({change.subject for change in seen}) == len(seen)
    return {change.subject: change.outcome for change in seen}


def with_members(tables: Tables, *columns: pl.Expr, **named: pl.Expr) -> Tables:
    return replace(tables, members=tables.members.with_columns(*columns, **named))


def with_movies(tables: Tables, **named: pl.Expr) -> Tables:
    return replace(tables, movies=tables.movies.with_columns(**named))


def stating(tables: Tables, **sections: dict) -> Tables:
    return replace(tables, stated=SchemaSettings.model_validate(sections))


def test_the_same_schema_has_no_changes(small, learned):
    assert changes(small, learned) == []


def test_members_and_movies_more_or_less_are_no_change_of_the_schema(small, learned):
    few = replace(learned, members=learned.members.gather_every(2), movies=learned.movies.gather_every(2))
    assert HELD_BACK not in outcomes(small, few).values()


@pytest.mark.parametrize("scale", [Scale(1, 10, 7.75), Scale(0, 5, 3.75), Scale(0.5, 5, 4)])
def test_another_scale_holds_back_unless_it_is_stated(small, learned, scale):
    other = replace(learned, scale=scale)
    assert outcomes(small, other)["rating scale"] is HELD_BACK
    stated = stating(other, ratings={"scale": [scale.low, scale.high]})
    assert set(outcomes(small, stated).values()) == {STATED}


def test_another_limit_of_enjoyed_ratings_holds_back_unless_it_is_stated(small, learned):
    before = Scale(1, 5, 3)
    assert outcomes(small, learned, before) == {"enjoyed from": HELD_BACK}
    assert outcomes(small, stating(learned, ratings={"scale": [1, 5]}), before) == {"enjoyed from": HELD_BACK}
    assert outcomes(small, stating(learned, ratings={"enjoyed_from": 4}), before) == {"enjoyed from": STATED}
    wider = stating(replace(learned, scale=Scale(0, 5, 3.75)), ratings={"scale": [0, 5]})
    assert outcomes(small, wider, before) == {"rating scale": STATED, "enjoyed from": HELD_BACK}
    assert outcomes(small, wider) == {"rating scale": STATED, "enjoyed from": STATED}


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("age", pl.col("age").cast(pl.Int64).cast(pl.String), "categorical"),
        ("age", pl.when(pl.col("age") < 30).then(pl.lit("young")).otherwise(pl.lit("old")), "categorical"),
        ("gender", (pl.col("gender") == "F").cast(pl.Float64), "numeric"),
        ("has_children", (pl.col("has_children") == "true").cast(pl.Float64), "numeric"),
    ],
)
def test_another_kind_holds_back_unless_the_column_is_stated(small, learned, column, values, kind):
    other, subject = with_members(learned, values.alias(column)), f"members, column {column}"
    assert outcomes(small, other) == {subject: HELD_BACK}
    [change] = changes(small, other)
    assert f"name the column as {kind} in the section members of schema.toml" in change.remedy
    assert outcomes(small, stating(other, members={kind: [column]})) == {subject: STATED}
    wrong = "numeric" if kind == "categorical" else "categorical"
    assert outcomes(small, stating(other, members={wrong: [column]})) == {subject: HELD_BACK}


@pytest.mark.parametrize(("table", "column"), [("members", "age"), ("members", "gender"), ("movies", "country")])
def test_a_column_that_is_gone_holds_back_unless_it_is_ignored(small, learned, table, column):
    other = replace(learned, **{table: getattr(learned, table).drop(column)})
    subject = f"{table}, column {column}"
    assert outcomes(small, other) == {subject: HELD_BACK}
    assert outcomes(small, stating(other, **{table: {"ignore": [column]}})) == {subject: STATED}


def test_a_column_without_values_is_as_good_as_gone(small, learned):
    [change] = changes(small, with_members(learned, age=pl.lit(None, pl.String)))
    assert (change.outcome, change.now) == (HELD_BACK, "without values")
    assert change.remedy.startswith("Bring the column back")


@pytest.mark.parametrize(
    "rename",
    [
        {"F": "Female", "M": "Male", "X": "Other"},
        {"F": "f", "M": "m", "X": "x"},
        {"F": "2"},
        {"M": "1"},
    ],
)
def test_categories_that_are_written_otherwise_hold_back(small, learned, rename):
    other = with_members(learned, gender=pl.col("gender").replace(rename))
    [change] = changes(small, stating(other, members={"categorical": ["gender"]}))
    assert change.outcome is HELD_BACK
    assert change.check().limit == "least_data_kept"
    assert next(iter(rename.values())) in str(change.now)


def test_a_flag_that_is_written_otherwise_holds_back(small, learned):
    other = with_members(learned, has_children=pl.col("has_children").str.to_titlecase())
    assert outcomes(small, other) == {"members, column has_children": HELD_BACK}


def test_categories_that_become_distinct_for_each_member_hold_back(small, learned):
    other = with_members(learned, gender=pl.concat_str("gender", pl.col("member_id")))
    assert HELD_BACK in [change.outcome for change in changes(small, other)]


def test_a_value_of_few_members_is_not_shown(small, learned):
    other = with_members(learned, gender=pl.concat_str(pl.lit("secret "), "member_id"))
    text = " ".join(f"{change.before} {change.now}" for change in changes(small, other))
    assert "F, M" in text
    assert "secret" not in text


def test_a_rare_category_may_vanish_and_come(small, learned):
    few = with_members(
        learned, gender=pl.col("gender").replace({"X": None}), region=pl.col("region").replace({"east": "west"})
    )
    assert HELD_BACK not in outcomes(small, few).values()
    more = with_members(
        learned, gender=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("new")).otherwise("gender")
    )
    assert HELD_BACK not in outcomes(small, more).values()


@pytest.mark.parametrize(
    "values",
    [2024 - pl.col("age"), 12 * pl.col("age") + 400, pl.col("age") / 100, -pl.col("age"), pl.lit(0.0)],
    ids=["year of birth", "months", "share", "sign", "constant"],
)
def test_numbers_of_another_unit_hold_back(small, learned, values):
    assert outcomes(small, with_members(learned, age=values)) == {"members, column age": HELD_BACK}


@pytest.mark.parametrize("values", [pl.col("age") + 5, pl.col("age") * 1.3, pl.col("age").clip(20, 60)])
def test_numbers_may_move_a_little(small, learned, values):
    assert outcomes(small, with_members(learned, age=values)) == {}


def test_numbers_may_move_far_for_new_members(small, learned):
    """Most members are new, and have a higher number, such as the month in which they joined."""
    growing = with_members(learned, age=pl.col("age") + 100 * (pl.int_range(pl.len()) % 4 > 0))
    assert outcomes(small, growing) == {}


def test_a_new_column_is_mentioned(small, learned):
    other = with_members(learned, height=pl.col("age") + 100, club=pl.lit("a"))
    assert outcomes(small, other) == {"members, column height": NEW, "members, column club": NEW}


@pytest.mark.parametrize(
    "genres",
    [
        pl.col("genres").list.eval(pl.element().str.to_uppercase()),
        pl.col("genres").list.join(", ").map_elements(lambda text: [text], return_dtype=pl.List(pl.String)),
        pl.when(pl.int_range(pl.len()) < 0).then("genres"),
    ],
    ids=["upper case", "not split", "none"],
)
def test_genres_that_are_gone_hold_back(small, learned, genres):
    other = with_movies(learned, genres=genres)
    held_back = [change for change in changes(small, other) if change.outcome is HELD_BACK]
    assert [change.subject for change in held_back] == ["movies, column genres"]
    assert held_back[0].limit == "least_data_kept"
    assert HELD_BACK not in outcomes(small, stating(other, movies={"ignore": ["genres"]})).values()


def test_genres_may_be_fewer_with_fewer_movies_and_differ_a_little(small, learned):
    few = replace(learned, movies=learned.movies.head(len(learned.movies) // 2))
    assert HELD_BACK not in outcomes(small, few).values()
    by_count = (
        learned.movies["genres"].explode().drop_nulls().value_counts().sort("count", "genres")["genres"].to_list()
    )
    for names, holds in ((by_count[:1], False), (by_count[-4:], True)):
        renamed = pl.element().replace({name: f"new {name}" for name in names})
        other = with_movies(learned, genres=pl.col("genres").list.eval(renamed))
        assert (HELD_BACK in [change.outcome for change in changes(small, other)]) is holds


def test_genres_that_become_rare_are_no_loss_beside_the_one_for_others(small, learned):
    """Each movie has a tag of its own, for which the genre "other" of the current version stands."""
    tags = pl.concat_list("genres", pl.concat_str(pl.lit("tag "), "movie_id"))
    tagged = with_movies(learned, genres=pl.when(pl.col("genres").is_not_null()).then(tags))
    before, _ = infer_schema(tagged)
    assert before.has_other_genre
    catalogue = type(small.model.catalogue)(
        *(getattr(small.model.catalogue, name) for name in ("movie_ids", "rated", "release_year")),
        make_dataset(tagged, before).genres,
        small.model.catalogue.attributes,
    )
    current = replace(small.model, schema=before, catalogue=catalogue)
    for tables in (tagged, learned):
        schema, _ = infer_schema(tables)
        assert list(schema_changes(schema, tables, current, LIMITS.least_data_kept)) == []


def test_new_genres_are_mentioned(small, learned):
    other = with_movies(learned, genres=pl.col("genres").list.concat(pl.lit(["Silent"])))
    [change] = changes(small, other)
    assert (change.subject, change.outcome, change.now) == ("genres", NEW, "also Silent")


def test_a_column_that_is_left_out_for_few_values_is_mentioned(small, learned):
    """A member less may do this; how many values are known is another check."""
    schema, _ = infer_schema(learned, min_holders=1000)
    seen = list(schema_changes(schema, learned, small.model, LIMITS.least_data_kept))
    assert len(seen) == len(small.model.schema.member_attributes)
    assert {change.outcome for change in seen} == {UNCHANGED}
    assert all(str(change.now).endswith("left out") for change in seen)
