"""A large table opens at once, is checked where it is looked at, and never tells anything wrong."""

import os

import numpy as np
import pytest

from model.artifact import artifact
from model.errors import DamagedPiece
from model.facts.member_key import PLAIN
from model.facts.member_table import FILES, MemberTable
from model.files.checked_array import PIECE, CheckedArray, piece_hashes
from model.files.manifest import FORMAT, Manifest

MEMBERS, PLAYS = 1_000_000, 2


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The files of a table of a million members, of whom some are known by id."""
    folder = tmp_path_factory.mktemp("large")
    random = np.random.default_rng(0)
    keys = random.integers(0, 2**64, (MEMBERS, 2), np.uint64)
    known = {f"member {place}": place for place in range(500)}
    keys[: len(known)] = [PLAIN.hash_of(member_id) for member_id in known]
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    own = np.where(order < len(known), order, -1).astype(np.float32)
    movies = np.tile(np.arange(PLAYS, dtype=np.int32), MEMBERS)
    table = MemberTable(
        keys[order], np.stack([own, own + 0.5], axis=1), np.arange(MEMBERS + 1) * PLAYS, movies,
        np.ones(len(movies), np.float32), np.zeros(len(movies), np.float32),
    )  # fmt: skip
    return folder, write(folder, table), known


def write(folder, table: MemberTable) -> Manifest:
    (folder / "members").mkdir()
    for name in FILES:
        np.save(folder / "members" / f"{name}.npy", getattr(table, name))
    hashes = [piece_hashes(folder / "members" / f"{name}.npy") for name in FILES]
    np.save(folder / artifact.PIECES, np.concatenate(hashes))
    return Manifest(FORMAT, 0, "", {}, {}, {}, artifact.listing(folder))


def looked_at(table: MemberTable) -> int:
    return sum(sum(array.seen) for array in table.checked.values())


def test_a_million_members_open_without_being_read_and_each_lookup_checks_what_it_reads(large):
    folder, manifest, known = large
    table = artifact.open_members(folder, manifest)
    assert len(table) == MEMBERS
    assert looked_at(table) == len(FILES), "the first piece of each file, where its shape stands"
    for member_id, place in known.items():
        before = looked_at(table)
        assert table.find(member_id).attributes.tolist() == [place, place + 0.5]
        assert looked_at(table) - before <= 20
        assert looked_at(table) > len(FILES)
        seen = looked_at(table)
        table.find(member_id)
        assert looked_at(table) == seen, "what was checked isn't checked again"
    assert [table.find(f"nobody {place}") for place in range(500)] == [None] * 500


def test_hashes_take_little_beside_the_table(large):
    manifest = large[1]
    sizes = {name: listed["size"] for name, listed in manifest.files.items()}
    assert sizes[artifact.PIECES] / MEMBERS < 0.2
    assert sizes[artifact.PIECES] < 0.003 * sum(sizes.values())


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_makes_members_unknown_and_nobody_wrong(large, tmp_path, name):
    folder, manifest, known = large
    (tmp_path / "members").mkdir()
    for path in (folder / "members").iterdir():
        os.link(path, tmp_path / "members" / path.name)
    changed = tmp_path / "members" / f"{name}.npy"
    content = bytearray(changed.read_bytes())
    changed.unlink()
    for place in range(PIECE + 100, len(content), 4 * PIECE):
        content[place] ^= 4
    changed.write_bytes(content)
    table, messages = artifact.open_members(tmp_path, manifest), []
    table.damage.listener = messages.append
    facts_of = {member_id: table.find(member_id) for member_id in known}
    lost = [member_id for member_id, facts in facts_of.items() if facts is None]
    assert 0 < len(lost) < len(known)
    assert messages == [f"members/{name}.npy isn't as it was written"] * len(lost)
    for member_id, facts in facts_of.items():
        if facts is not None:
            assert facts.attributes.tolist() == [known[member_id], known[member_id] + 0.5]
            assert facts.movies.tolist() == list(range(PLAYS))


def test_hashes_that_are_crowded_together_are_looked_up_too():
    """Interpolation guesses badly; halving goes on where it does."""
    keys = np.zeros((40_000, 2), np.uint64)
    keys[:20_000, 1] = np.arange(20_000)
    keys[20_000:, 0] = np.uint64(2) ** np.uint64(40) + np.arange(20_000, dtype=np.uint64) ** 2
    table = MemberTable(
        keys, np.arange(40_000, dtype=np.float32)[:, None], np.zeros(40_001, np.int64), np.empty(0, np.int32),
        np.empty(0, np.float32), np.empty(0, np.float32),
    )  # fmt: skip
    for row in range(0, 40_000, 501):
        assert table.row_of(int(keys[row, 0]), int(keys[row, 1])) == row
    assert table.row_of(2**40, 1) is None
    assert table.row_of(2**64 - 1, 0) is None


def test_a_file_whose_beginning_is_damaged_does_not_open(tmp_path):
    path = tmp_path / "some.npy"
    np.save(path, np.arange(10))
    hashes = piece_hashes(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    with pytest.raises(DamagedPiece, match="some isn't as it was written"):
        CheckedArray("some", bytes(content), hashes)
    with pytest.raises(ValueError, match="another number of pieces"):
        CheckedArray("some", bytes(content), hashes[:0])
