"""Archives of arrays: what was written is read, and nothing is unpacked, evaluated or made room for on its word."""

import io
import zipfile

import numpy as np
import pytest

from model.files.npz import array_over, arrays_from_bytes, arrays_to_bytes

ARRAYS = {
    "numbers": np.arange(6.0).reshape(2, 3), "few": np.array([1], np.int32), "none": np.empty((0, 4), np.float32),
    "flags": np.array([True, False]), "column": np.ones((3, 1)), "bytes": np.array([7], np.uint8),
}  # fmt: skip


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def archive(entries, kind=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as file:
        for name, content in entries:
            file.writestr(name, content)
    return out.getvalue()


def test_what_was_written_is_read():
    arrays = arrays_from_bytes(arrays_to_bytes(ARRAYS))
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert (arrays[name] == array).all()


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    bomb = archive([("a.npy", npy(np.zeros(20_000_000, np.uint8)))], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="larger than its file"):
        arrays_from_bytes(bomb)


def test_a_packed_archive_is_refused_however_small():
    packed = archive([("a.npy", npy(np.random.default_rng(0).random(5)))], zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"isn't one stored array|larger"):
        arrays_from_bytes(packed)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"nonsense", arrays_to_bytes(ARRAYS)[:-30], arrays_to_bytes(ARRAYS)[100:],
        archive([("a.txt", npy(np.ones(1)))]), archive([("a.npy", b"nonsense")]),
        archive([("a.npy", npy(np.ones(3))[:-1])]),
    ],
)  # fmt: skip
def test_what_is_no_archive_of_arrays_is_refused(content):
    with pytest.raises(ValueError, match=r"."):
        arrays_from_bytes(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_twice_is_refused():
    with pytest.raises(ValueError, match="isn't one stored array"):
        arrays_from_bytes(archive([("a.npy", npy(np.ones(1)))] * 2))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(3,)", b"(9,)"), (b"(3,)", b"(99999999999,)"), (b"(3,)", b"(-3,)"), (b"(3,)", b"(1+2,)"), (b"<f8", b"|O8"),
        (b"<f8", b">f8"), (b"False", b"True "), (b"(3,)", b"exit"), (b"NUMPY\x01", b"NUMPY\x02"),
        (b"(3,)", b"(3,1,1,1)"),
    ],
)  # fmt: skip
def test_an_array_that_is_not_plain_numbers_of_its_size_is_refused(old, new):
    whole = npy(np.ones(3))
    assert old in whole
    changed = whole.replace(old, new, 1)
    with pytest.raises(ValueError, match=r"npy format|another size"):
        array_over(changed)
