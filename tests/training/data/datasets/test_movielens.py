"""Each MovieLens release becomes a data directory of the contract."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from training.__main__ import main
from training.data.reading.schema_file import read_schema_file

FIXTURES = Path(__file__).parent / "fixtures"
REAL = Path(__file__).parents[5] / "shared" / "data"


def imported(source: Path, out: Path) -> dict[str, pl.DataFrame]:
    assert main(["import", "movielens", str(source), "--out", str(out)]) == 0
    return {name: pl.read_parquet(out / f"{name}.parquet") for name in ("members", "movies", "ratings")}


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_100k_becomes_a_data_directory(tmp_path):
    tables = imported(FIXTURES / "ml-100k", tmp_path / "data")
    assert tables["members"].rows() == [("1", 31, "F", "engineer"), ("2", 47, "M", "artist"), ("3", 19, "F", "student")]
    assert tables["movies"].rows() == [
        ("1", "Café Noir (1961)", 1961, ["Comedy", "Drama"]),
        ("2", 'The "Second" Harbour', 1994, ["Action"]),
        ("3", "unknown", None, None),
    ]
    assert tables["ratings"].row(0) == ("1", "2", 4.0, at(880000000))
    assert read_schema_file(tmp_path / "data").ratings.scale == (1.0, 5.0)


def test_1m_becomes_a_data_directory(tmp_path):
    tables = imported(FIXTURES / "ml-1m", tmp_path / "data")
    assert tables["members"].rows() == [
        ("1", "F", "under 18", "K-12 student"),
        ("2", "M", "56 and over", "self-employed"),
        ("3", "M", "25-34", "99"),
    ]
    assert tables["movies"].rows() == [
        ("10", "Café Noir (1961)", 1961, ["Comedy", "Drama"]),
        ("20", 'The "Second" Harbour, Part 2: Dawn (1994)', 1994, ["Action"]),
        ("30", "Children's Voyage (1999)", 1999, ["Children's", "Drama"]),
    ]
    assert tables["ratings"].row(0) == ("1", "10", 5.0, at(970000000))


def test_1m_without_times_is_read_too(tmp_path):
    source = shutil.copytree(FIXTURES / "ml-1m", tmp_path / "source")
    lines = (source / "ratings.dat").read_text().splitlines()
    (source / "ratings.dat").write_text("".join(line.rpartition("::")[0] + "\r\n" for line in lines))
    ratings = imported(source, tmp_path / "data")["ratings"]
    assert ratings.rows() == [("1", "10", 5.0), ("1", "20", 3.0), ("2", "10", 4.0), ("3", "30", 1.0)]


def test_a_later_release_becomes_a_data_directory(tmp_path):
    tables = imported(FIXTURES / "ml-later", tmp_path / "data")
    assert tables["members"].rows() == [("1",), ("2",), ("10",)]
    assert tables["movies"].rows() == [
        ("1", "Café Noir (1961)", 1961, ["Comedy", "Drama"]),
        ("2", "Harbour, The (1994)", 1994, ["Action", "IMAX"]),
        ("3", "The Long Series (2006–2012)", 2006, None),  # noqa: RUF001 - the release writes spans so
        ("4", "No Year at All", None, ["Drama"]),
    ]
    assert tables["ratings"].row(1) == ("1", "2", 0.5, at(1100000060))
    assert read_schema_file(tmp_path / "data").ratings.scale == (0.5, 5.0)


def test_missing_ages_times_and_years_of_a_release_are_unknown(tmp_path):
    source = shutil.copytree(FIXTURES / "ml-100k", tmp_path / "source")
    for file, old, new in [
        ("u.user", "|31|", "|NA|"),
        ("u.data", "880000000", ""),
        ("u.item", "(1961)", "(9961)"),
        ("u.item", "-1961", "-0000"),
    ]:
        content = (source / file).read_text(encoding="latin-1")
        assert old in content
        (source / file).write_text(content.replace(old, new), encoding="latin-1")
    tables = imported(source, tmp_path / "data")
    assert tables["members"]["age"].to_list() == [None, 47, 19]
    assert tables["ratings"]["rated_at"][0] is None
    assert tables["movies"]["release_year"].to_list() == [None, 1994, None]


@pytest.mark.parametrize("release", ["ml-100k", "ml-1m"])
def test_no_zip_code_is_written(tmp_path, release):
    assert "zip" not in imported(FIXTURES / release, tmp_path / "data")["members"]
    assert b"02139" not in b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())


@pytest.mark.parametrize(("release", "members", "ratings"), [("ml-100k", 943, 100_000), ("ml-1m", 6040, 1_000_209)])
def test_the_published_release_passes_the_checks(tmp_path, capsys, release, members, ratings):
    if not (REAL / release).is_dir():
        pytest.skip(f"{release} is not here")
    tables = imported(REAL / release, tmp_path / "data")
    assert (len(tables["members"]), len(tables["ratings"])) == (members, ratings)
    assert main(["validate", "--data", str(tmp_path / "data")]) == 0


def test_importing_again_replaces_what_was_imported(tmp_path):
    first = imported(FIXTURES / "ml-100k", tmp_path / "data")
    second = imported(FIXTURES / "ml-1m", tmp_path / "data")
    assert len(first["movies"]) == len(second["movies"])
    assert second["movies"]["movie_id"].to_list() == ["10", "20", "30"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("kept", ["thesis.txt", "ratings.csv", "ratings.parquet"])
def test_a_folder_of_ones_own_is_never_overwritten(tmp_path, capsys, kept):
    (tmp_path / kept).write_text("mine")
    assert main(["import", "movielens", str(FIXTURES / "ml-1m"), "--out", str(tmp_path)]) == 2
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(kept, "mine")]
    assert "files that this command has not written" in capsys.readouterr().err


def test_a_file_added_to_an_imported_folder_protects_it(tmp_path, capsys):
    imported(FIXTURES / "ml-1m", tmp_path / "data")
    (tmp_path / "data" / "notes.txt").write_text("mine")
    assert main(["import", "movielens", str(FIXTURES / "ml-1m"), "--out", str(tmp_path / "data")]) == 2
    assert (tmp_path / "data" / "notes.txt").exists()


@pytest.mark.parametrize(
    ("bend", "message"),
    [
        (lambda source: (source / "users.dat").unlink(), "MovieLens 1M has a file users.dat, which is missing"),
        (lambda source: (source / "ratings.dat").unlink(), "holds no MovieLens release"),
        (lambda source: (source / "ratings.dat").write_text("1::2\n"), "ratings.dat: has 2 fields in its first row"),
        (lambda source: (source / "movies.dat").write_bytes(b""), "can't be read: "),
    ],
)
def test_a_source_that_is_no_release_is_reported_and_nothing_is_written(tmp_path, capsys, bend, message):
    source = shutil.copytree(FIXTURES / "ml-1m", tmp_path / "source")
    bend(source)
    assert main(["import", "movielens", str(source), "--out", str(tmp_path / "data")]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1::10::good", "column rating: 1 row without a rating"),
        ("1::10::4::1999-01-01", "column rated_at: 1 row without a time in seconds"),
        (" ::10::4::978300760", "column member_id: 1 row without an id"),
    ],
)
def test_a_source_with_wrong_values_is_refused_in_one_sentence(tmp_path, capsys, line, message):
    source = shutil.copytree(FIXTURES / "ml-1m", tmp_path / "source")
    (source / "ratings.dat").write_text(f"{line}\n")
    assert main(["import", "movielens", str(source), "--out", str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err.startswith(f"ratings.dat, {message}")
