"""A strict reader for NumPy's .npy and .npz files, which never evaluates, decompresses or unpickles anything.

NumPy's own reader evaluates the header as a Python literal, allocates an array of any shape that the header claims, and
decompresses the archive. This reader accepts only files as written by training: uncompressed numbers in C order.
"""

import io
import math
import mmap
import re
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(
    rb"\{'descr': '([<|])([biuf])([1248])', 'fortran_order': False, 'shape': \((\d{1,18}(?:, \d{1,18})*)?,?\), \} *\n"
)
MOST_ARRAYS, MOST_DIMENSIONS = 1000, 5


def arrays_to_bytes(arrays: Arrays) -> bytes:
    """Return the arrays as an uncompressed .npz file; equal arrays give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", FIXED_DATE), content.getvalue())
    return out.getvalue()


def arrays_from_bytes(content: bytes) -> Arrays:
    """Return the arrays in an .npz file. Raises ValueError if it isn't of the form that `arrays_to_bytes` writes.

    Each entry must be uncompressed according to the archive's directory, and all entries together no larger than the
    file. The total size is checked before any entry is read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ARRAYS or sum(entry.file_size for entry in entries) > len(content):
                raise ValueError("an archive that claims to be larger than its file")
            arrays = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                stored = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
                if not stored or entry.flag_bits & 1 or name == entry.filename or name in arrays:
                    raise ValueError("an entry that isn't one stored array")
                arrays[name] = array_over(archive.read(entry)).copy()
            return arrays
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise ValueError("no archive of arrays") from error


def array_over(content: bytes | mmap.mmap) -> NDArray[Any]:
    """Return the array in the content of an .npy file, as a view of the content.

    Raises ValueError unless the content is an array of numbers in C order.
    """
    head = content[:10]
    length = int.from_bytes(head[8:10], "little")
    header = HEADER.fullmatch(content[10 : 10 + length])
    if head[:8] != MAGIC or header is None:
        raise ValueError("another .npy format")
    order, kind, width, text = (part.decode() for part in header.groups(b""))
    shape = tuple(map(int, text.split(", "))) if text else ()
    dtype = np.dtype(order + kind + width)
    count = math.prod(shape)
    if len(shape) > MOST_DIMENSIONS or 10 + length + count * dtype.itemsize != len(content):
        raise ValueError("an array of another size than its header says")
    return np.frombuffer(content, dtype, count=count, offset=10 + length).reshape(shape)
