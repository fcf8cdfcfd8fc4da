"""The list of forgotten members: every reader of the tables obeys it, and nobody can read it without the key."""

import pytest

from model.facts.member_key import PLAIN, MemberKey
from model.files.shared_folder import SharedFolder
from training.__main__ import main
from training.data.files.forgotten_list import FORGOTTEN, add_forgotten, read_forgotten, remove_forgotten
from training.data.reading.tables import read_tables
from training.errors import DataError
from training.versions.provenance import fingerprint

KEY, OTHER = MemberKey(b"k" * 32), MemberKey(b"o" * 32)
NOW, LATER = "2026-11-30T10:00:00+00:00", "2026-12-01T10:00:00+00:00"


def listing(folder, *member_ids, key=KEY, now=NOW):
    shared = SharedFolder(folder)
    with shared.changing():
        return add_forgotten(shared, key, member_ids, now)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_of_a_new_export_are_read_as_if_they_never_had_who_is_forgotten(write_data, tables, kind):
    gone = ["r03", "lurker"]
    never = {name: rows.filter(~rows["member_id"].is_in(gone)) for name, rows in tables.items() if name != "movies"}
    reference = fingerprint(read_tables(write_data(kind, **never)))
    folder = write_data(kind)
    assert fingerprint(read_tables(folder)) != reference
    listing(folder, *gone)
    read = read_tables(folder, key=KEY)
    assert fingerprint(read) == reference
    assert [read.forgotten.has(each) for each in ("r03", "lurker", "r04")] == [True, True, False]


def test_a_whole_number_is_the_id_that_its_text_is(write_data, tables):
    of_members = {name: rows for name, rows in tables.items() if name != "movies"}
    ids = sorted({member_id for rows in of_members.values() for member_id in rows["member_id"]})
    numbers = {member_id: number for number, member_id in enumerate(ids)}
    numbered = {name: rows.with_columns(rows["member_id"].replace_strict(numbers)) for name, rows in of_members.items()}
    folder = write_data("parquet", **numbered)
    listing(folder, "2")
    assert "2" not in read_tables(folder, key=KEY).member_ids


@pytest.mark.parametrize(("key", "problem"), [(PLAIN, "give that key"), (OTHER, "another key")])
def test_without_its_key_a_list_is_refused_in_words(write_data, capsys, tmp_path, key, problem):
    folder = write_data()
    listing(folder, "r03")
    with pytest.raises(DataError, match=problem):
        read_tables(folder, key=key)
    options = []
    if key.secret:
        (tmp_path / "other.key").write_bytes(key.secret)
        options = ["--member-key", str(tmp_path / "other.key")]
    assert main(["validate", "--data", str(folder), *options]) == 2
    assert problem in capsys.readouterr().err


def test_the_list_holds_no_id_and_no_hash_that_can_be_computed_without_the_key(tmp_path):
    listing(tmp_path, "r03")
    content = (tmp_path / FORGOTTEN).read_bytes()
    plain = b"".join(half.to_bytes(8, "little") for half in PLAIN.hash_of("r03"))
    assert b"r03" not in content
    assert plain.hex().encode() not in content


def test_who_is_listed_again_keeps_the_first_time_and_who_is_taken_off_comes_back(tmp_path):
    listing(tmp_path, "a", "b")
    again = listing(tmp_path, "b", "c", now=LATER)
    assert sorted(again.since.values()) == [NOW, NOW, LATER]
    shared = SharedFolder(tmp_path)
    with shared.changing():
        assert remove_forgotten(shared, KEY, ["b", "z"]) == 1
    left = read_forgotten(tmp_path, KEY)
    assert [left.has(each) for each in "abc"] == [True, False, True]


@pytest.mark.parametrize("damage", [b"", b"\xff", b"a list\n", None])
def test_a_damaged_list_is_refused_since_the_forgotten_would_come_back(tmp_path, damage):
    listing(tmp_path, "a")
    path = tmp_path / FORGOTTEN
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    with pytest.raises(DataError, match="damaged"):
        read_forgotten(tmp_path, KEY)


def test_a_new_import_keeps_the_list(tmp_path):
    data = tmp_path / "data"
    sample = ["sample", "--out", str(data), "--members", "60", "--movies", "20"]
    assert main(sample) == 0
    first = read_tables(data).member_ids[0]
    listing(data, first)
    assert main(sample) == 0
    assert first not in read_tables(data, key=KEY).member_ids
