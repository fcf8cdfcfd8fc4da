"""Offline scores are exactly those of the published model, for any pairs and in both formats."""

from pathlib import Path

import polars as pl
import pytest

from features.values.attribute_value import encode_attribute
from model.facts.evidence import MovieEvidence
from model.facts.facts import MemberFacts, MovieFacts
from model.prediction.predictions import ARRAYS, Predictions
from training.__main__ import main
from training.data.reading.tables import TABLES
from training.data.writer import write_table
from training.versions.offline import COLUMNS, RANKING_COLUMNS, in_parts, predictions_of


@pytest.fixture
def predict(small, tmp_path):
    """Predicts with the small world's model; returns the exit code and what was written."""

    def run(kind: str = "parquet", pairs: pl.DataFrame | Path | None = None, **changed):
        out = tmp_path / f"predictions.{kind}"
        arguments = {"data": small.data, "models": small.models, "out": out} | changed
        if isinstance(pairs, Path):
            arguments["pairs"] = pairs
        elif pairs is not None:
            arguments["pairs"] = tmp_path / "pairs.csv"
            pairs.write_csv(arguments["pairs"])
        code = main(["predict", *(part for name, value in arguments.items() for part in (f"--{name}", str(value)))])
        if not out.exists():
            return code, None
        return code, pl.read_parquet(out) if kind == "parquet" else pl.read_csv(out, infer_schema_length=None)

    return run


@pytest.fixture
def directory(small, tmp_path):
    """Writes the small world anew, tables given by name bent by their functions (None: left out)."""

    def write(**changed):
        frames = {name: pl.read_parquet(small.data / f"{name}.parquet") for name in TABLES}
        folder = tmp_path / "other"
        folder.mkdir()
        for name in frames:
            if name not in changed:
                frames[name].write_parquet(folder / f"{name}.parquet")
            elif changed[name] is not None:
                changed[name](frames).write_parquet(folder / f"{name}.parquet")
        return folder

    return write


def written(predictions: Predictions, name: str) -> list[float] | list[str]:
    """The values of a column as a table has them: kinds of evidence in words."""
    values = getattr(predictions, name).tolist()
    return [MovieEvidence(value).name.lower() for value in values] if name == "movie_evidence" else values


def test_all_never_raters_are_predicted_for_all_movies_exactly_as_the_model_serves_them(small, predict):
    code, found = predict()
    model, tables = small.model, small.tables
    everyone = {*tables.members["member_id"], *tables.plays["member_id"]}
    assert code == 0
    assert found.columns == list(COLUMNS)
    assert set(found["member_id"]) == everyone - set(tables.ratings["member_id"])
    assert len(found) == found["member_id"].n_unique() * len(tables.movies)
    for (member_id,), rows in found.group_by("member_id"):
        served = model.predict(
            model.members.find(member_id), [model.catalogue.row(movie_id) for movie_id in rows["movie_id"]]
        )
        for name in ARRAYS:
            assert rows[name].to_list() == written(served, name)


def test_each_member_s_best_movies_are_ranked_as_the_service_ranks_them(small, predict, capsys):
    model = small.model
    titles = dict(small.tables.movies.select("movie_id", "title").iter_rows())
    code, found = predict(top=5)
    assert code == 0
    assert found.columns == list(RANKING_COLUMNS)
    assert set(found["member_id"]) == set(predict()[1]["member_id"])
    for (member_id,), rows in found.group_by("member_id"):
        places, served = model.rank(model.members.find(member_id), most=5)
        assert rows["rank"].to_list() == [1, 2, 3, 4, 5]
        assert rows["movie_id"].to_list() == [model.catalogue.movie_ids[place] for place in places]
        assert rows["title"].to_list() == [titles[movie_id] for movie_id in rows["movie_id"]]
        assert rows["rating"].to_list() == served.rating.tolist()
        assert set(rows["member_evidence"]) == {served.member_evidence.name.lower().replace("_", " ")}
    with pytest.raises(SystemExit):
        predict(top=5, pairs=pl.DataFrame({"member_id": ["a"], "movie_id": ["b"]}))
    assert "not allowed with argument" in capsys.readouterr().err


def test_csv_holds_the_same_numbers_as_parquet(small, predict):
    members = small.tables.plays.select("member_id").unique().sort("member_id").head(6)
    pairs = members.join(small.tables.movies.select("movie_id"), how="cross")
    parquet, csv = predict(pairs=pairs)[1], predict("csv", pairs=pairs)[1]
    assert len(parquet) == len(pairs)
    assert csv.equals(parquet)


def test_pairs_are_answered_with_raters_and_unknown_ids_among_them(small, predict):
    model, rater = small.model, small.tables.ratings["member_id"][0]
    movie = small.tables.movies["movie_id"][3]
    pairs = pl.DataFrame(
        [(rater, movie), ("nobody", movie), (rater, "no movie"), ("nobody", "no movie")],
        schema=["member_id", "movie_id"], orient="row",
    )  # fmt: skip
    code, found = predict(pairs=pairs)
    assert code == 0
    assert (
        found.select("member_id", "movie_id").sort("member_id", "movie_id").equals(pairs.sort("member_id", "movie_id"))
    )
    facts = {rater: model.members.find(rater), "nobody": MemberFacts.nothing(model.schema)}
    for row in found.iter_rows(named=True):
        served = model.predict(facts[row["member_id"]], [model.catalogue.row(row["movie_id"])])
        assert [row[name] for name in ARRAYS] == [written(served, name)[0] for name in ARRAYS]


def test_members_and_movies_that_the_model_has_not_seen_are_predicted(small, predict, directory):
    """Another data directory: facts come from it, of members and of movies that only it has."""
    old = small.tables.plays["member_id"][0]
    renamed = pl.col("member_id").replace({old: "newcomer"})
    data = directory(
        members=lambda frames: frames["members"].with_columns(renamed),
        plays=lambda frames: frames["plays"].with_columns(renamed),
        movies=lambda frames: pl.concat(
            [frames["movies"], frames["movies"].head(1).with_columns(movie_id=pl.lit("new"))]
        ),
    )
    movie = small.tables.movies["movie_id"][7]
    pairs = pl.DataFrame({"member_id": ["newcomer"] * 2, "movie_id": [movie, "new"]})
    code, found = predict(pairs=pairs, data=data)
    assert code == 0
    facts = small.model.members.find(old).without_ratings()
    first = small.tables.movies.row(0, named=True)
    values = {
        place: encode_attribute(one, first[one.name])
        for place, one in enumerate(small.model.schema.movie_attributes)
        if first[one.name] is not None
    }
    described = MovieFacts.of(small.model.schema, first["release_year"], first["genres"], values)
    served = small.model.predict(facts, [small.model.catalogue.row(movie), described])
    assert found["movie_evidence"].to_list() == ["rated", "described"]
    assert found["rating"].to_list() == served.rating.tolist()


def test_predictions_are_written_in_their_order_however_many_parts_they_come_in(small, predict, tmp_path):
    def predictions():
        return predictions_of(small.model, small.tables, None)

    whole = pl.concat(list(predictions()))
    assert predict()[1].equals(whole)
    for rows in (1, 100, len(whole), len(whole) + 1):
        parts = list(in_parts(predictions(), rows))
        assert all(len(part) >= rows for part in parts[:-1])
        for kind in ("parquet", "csv"):
            assert write_table(tmp_path / f"parts.{kind}", parts) == len(whole)
        assert pl.read_parquet(tmp_path / "parts.parquet").equals(whole)
        assert (tmp_path / "parts.csv").read_bytes() == whole.write_csv().encode()


def test_nobody_to_predict_makes_an_empty_table(predict, directory, capsys):
    """No pairs, or none but raters in the data."""
    code, found = predict(pairs=pl.DataFrame(schema={"member_id": pl.String, "movie_id": pl.String}))
    assert (code, len(found)) == (0, 0)
    assert found.columns == list(COLUMNS)
    assert capsys.readouterr().err == ""
    raters = directory(plays=None, members=lambda frames: frames["ratings"].select("member_id").unique())
    code, found = predict(data=raters)
    assert (code, len(found)) == (0, 0)
    assert capsys.readouterr().err.startswith("warning: members: there is no never-rater to predict")


def test_columns_that_the_data_lacks_are_not_known(small, predict, directory):
    code, found = predict(
        data=directory(
            members=lambda frames: frames["members"].drop("age", "region"),
            movies=lambda frames: frames["movies"].select("movie_id"),
        )
    )
    assert code == 0
    model = small.model
    member_id, movie_id = found.select("member_id", "movie_id").row(0)
    lost = {
        place: float("nan") for place, one in enumerate(model.schema.member_attributes) if one.name in ("age", "region")
    }
    served = model.predict(model.members.find(member_id).with_attributes(lost), [model.catalogue.row(movie_id)])
    assert found["rating"][0] == served.rating[0]


@pytest.mark.parametrize(("column", "kind"), [("age", "numeric"), ("region", "categorical")])
def test_columns_of_another_kind_than_the_model_has_are_refused(predict, directory, capsys, column, kind):
    other = pl.lit("young") if kind == "numeric" else pl.lit(1.5)
    data = directory(members=lambda frames: frames["members"].with_columns(other.alias(column)))
    assert predict(data=data)[0] == 2
    assert capsys.readouterr().err == f"attribute {column}: isn't {kind}, as the schema has it\n"


@pytest.mark.parametrize("name", ["predictions", "predictions.json", "predictions.csv.gz"])
def test_a_file_of_another_kind_is_refused(predict, tmp_path, name, capsys):
    assert predict(out=tmp_path / name)[0] == 2
    assert "--out must end with .parquet or .csv" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_a_file_in_a_folder_that_is_not_there_is_refused(predict, tmp_path, capsys):
    assert predict(out=tmp_path / "nowhere" / "predictions.csv")[0] == 2
    assert "--out is in a folder that isn't there" in capsys.readouterr().err


def test_a_table_of_pairs_that_lacks_a_column_is_refused(predict, capsys):
    assert predict(pairs=pl.DataFrame({"member": ["a"], "movie_id": ["b"]}))[0] == 2
    assert (
        capsys.readouterr().err == "pairs, column member_id: the column is missing; there are: 'member', 'movie_id'\n"
    )


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_pairs_without_an_id_are_refused(predict, capsys, blank):
    assert predict(pairs=pl.DataFrame({"member_id": ["a", blank], "movie_id": ["b", "c"]}))[0] == 2
    assert capsys.readouterr().err == "pairs, column member_id: 1 row without an id\n"


def test_ids_of_pairs_are_text_or_whole_numbers_as_in_the_tables(predict, tmp_path, capsys):
    file = tmp_path / "pairs.parquet"
    pl.DataFrame({"member_id": [1.0], "movie_id": ["b"]}).write_parquet(file)
    assert predict(pairs=file)[0] == 2
    assert "pairs, column member_id: holds Float64, but must hold text or whole numbers" in capsys.readouterr().err
    pl.DataFrame({"member_id": [1], "movie_id": pl.Series(["b"], dtype=pl.Categorical)}).write_parquet(file)
    code, predictions = predict(pairs=file)
    assert (code, predictions.select("member_id", "movie_id").rows()) == (0, [("1", "b")])


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("member_id;movie_id\na;b\n", "pairs: can't be read: odd.csv: its columns are separated by semicolons"),
        ("", "pairs: can't be read: odd.csv is empty (0 bytes)"),
        ("member_id,movie_id\na,b,c\n", "pairs: can't be read: odd.csv: line 2 has 3 fields, the header 2"),
        (None, "pairs: can't be read: odd.csv: [Errno 2] No such file or directory"),
        ("member_id,movie_id,movie_id\na,b,c\n", "pairs, column movie_id: two columns have this name"),
    ],
)
def test_a_table_of_pairs_that_can_not_be_read_is_refused_in_words(predict, tmp_path, capsys, contents, message):
    if contents is not None:
        (tmp_path / "odd.csv").write_text(contents)
    assert predict(pairs=tmp_path / "odd.csv")[0] == 2
    assert capsys.readouterr().err.startswith(message)


def test_a_table_of_no_pairs_may_have_columns_without_a_type(predict, tmp_path):
    pl.DataFrame({"member_id": [], "movie_id": []}).write_parquet(tmp_path / "pairs.parquet")
    code, predictions = predict(pairs=tmp_path / "pairs.parquet")
    assert (code, len(predictions)) == (0, 0)


def test_pairs_may_be_a_folder_of_parts(small, predict, tmp_path):
    movies = small.tables.movies["movie_id"]
    for member in small.truth["member_id"].unique().sort()[:2]:
        (tmp_path / "pairs" / f"member_id={member}").mkdir(parents=True)
        pl.DataFrame({"movie_id": movies[:3]}).write_parquet(tmp_path / "pairs" / f"member_id={member}" / "0.parquet")
    code, predictions = predict(pairs=tmp_path / "pairs")
    assert (code, len(predictions)) == (0, 6)


def test_a_table_of_pairs_that_is_not_there_is_refused(predict, tmp_path, capsys):
    assert predict(pairs=None, data=tmp_path / "nothing")[0] == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_without_a_model_nothing_is_predicted(predict, tmp_path, capsys):
    assert predict(models=tmp_path / "nothing")[0] == 1
    assert "no model is published there" in capsys.readouterr().err
    (tmp_path / "current").write_text("nonsense")
    assert predict(models=tmp_path)[0] == 1
    assert "doesn't name a version" in capsys.readouterr().err
