"""Who is in a version's member table, and under which hashes of their ids."""

import json
from collections import Counter
from pathlib import Path

import pytest

from model.artifact.artifact import load_model
from model.errors import ArtifactError
from model.facts.member_key import PLAIN, MemberKey
from model.store.store import Store
from training.data.dataset import read_dataset
from training.versions.exports.export_members import records_of_data, records_of_model
from training.versions.member_files import Publication
from training.versions.publish import Origin, publish

KEY, OTHER_KEY = MemberKey(b"sixteen or more bytes"), MemberKey(b"bytes of another secret")
RUN = {"trained_at": "2026-01-01T00:00:00+00:00", "seconds": 1}


@pytest.fixture(scope="module")
def published_as(small, small_fit, tmp_path_factory):
    """Publishes the small sample again, with other members in the table."""
    store = Store(tmp_path_factory.mktemp("models"))
    tables, data, _ = read_dataset(small.data, 20)
    evaluation = json.loads((small.folder / "report.json").read_text())

    def folder_of(who: str, key: MemberKey = PLAIN) -> Path:
        publication = Publication.of(tables, data.schema, who, key)
        return store.folder(publish(store, data, publication, small_fit.core, Origin(0, ""), evaluation, [], RUN))

    return folder_of


def halves(member_ids, key: MemberKey) -> list[bytes]:
    """Each half of each hash, as a table and as a record's key holds it."""
    numbers = [half.to_bytes(8, "little") for member_id in member_ids for half in key.hash_of(member_id)]
    return [*numbers, *(number.hex().encode() for number in numbers)]


def contents(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("who", "raters", "never_raters"), [("none", False, False), ("never-raters", False, True), ("all", True, True)]
)
def test_those_are_published_who_should_be_and_they_are_counted(small, published_as, who, raters, never_raters):
    folder = published_as(who)
    model = load_model(folder)
    rated = set(small.tables.ratings["member_id"])
    found = Counter()
    for member_id in small.tables.member_ids:
        facts = model.members.find(member_id)
        assert (facts is not None) == (raters if member_id in rated else never_raters)
        if facts is not None:
            found["published_members"] += 1
            found["published_raters"] += len(facts.ratings) > 0
    counts = {name: found[name] for name in ("published_members", "published_raters")}
    assert counts | {"members": len(small.tables.member_ids)} == {
        name: model.manifest.data[name] for name in ("members", "published_members", "published_raters")
    }
    assert (folder / "members" / "ratings.npy").exists() == raters
    assert (
        f"{counts['published_members']:,} of {len(small.tables.member_ids):,}" in (folder / "MODEL_CARD.md").read_text()
    )


def test_a_list_of_all_ids_finds_nobody_in_a_folder_that_was_published_with_a_key(small, published_as):
    folder, member_ids = published_as("all", KEY), small.tables.member_ids
    assert all(load_model(folder, key=KEY).members.find(member_id) is not None for member_id in member_ids)
    blind = load_model(folder, key=None).members
    content = contents(folder)
    for member_id in member_ids:
        assert blind.find(member_id) is None
        assert blind.row_of(*OTHER_KEY.hash_of(member_id)) is None
        assert member_id.encode() not in content
    assert not any(half in content for half in halves(member_ids, PLAIN))
    assert KEY.secret not in content
    assert any(half in contents(small.folder) for half in halves(member_ids, PLAIN)), "where there is no key, it is"


@pytest.mark.parametrize(("key", "message"), [(PLAIN, "none is given"), (OTHER_KEY, "another member key")])
def test_a_version_of_another_key_is_refused_in_words(published_as, key, message):
    with pytest.raises(ArtifactError, match=message) as refused:
        load_model(published_as("all", KEY), key=key)
    assert refused.value.reason == "member_key"


def test_a_version_of_plain_hashes_is_looked_up_by_them_whatever_the_key(small, published_as):
    members = load_model(published_as("all"), key=KEY).members
    assert members.find(small.tables.member_ids[0]) is not None


def test_records_of_a_version_and_of_its_data_have_the_same_keys_and_ratings(small, published_as):
    model = load_model(published_as("all", KEY), key=KEY)
    of_model, of_data = dict(records_of_model(model)), dict(records_of_data(small.tables, KEY))
    assert of_model.keys() == of_data.keys()
    for key, record in of_model.items():
        assert set(record.ratings) == set(of_data[key].ratings)
        facts = record.facts(model.schema, model.catalogue)
        assert facts.ratings.values.tolist() == [rating.rating for rating in record.ratings]
    assert sum(len(record.ratings) for record in of_model.values()) == len(small.tables.ratings)
