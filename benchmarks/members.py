"""A table of many members: how long it takes to open, to look one up, and what a worker's memory holds of it.

`python -m benchmarks.members [--members 10000000]` writes a synthetic table of some 100 bytes a member into a temporary
folder, part by part, opens it in several processes at once, and leaves nothing behind.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from model.artifact.artifact import PIECES, listing, open_members
from model.facts.member_key import PLAIN
from model.facts.member_table import FILES, KINDS
from model.files.checked_array import piece_hashes
from model.files.manifest import FORMAT, Manifest

ATTRIBUTES, PLAYS, MOVIES = 6, 4, 5000
PART = 500_000
LOOKUPS = 20_000
WORKERS = 2


def write_table(folder: Path, members: int) -> None:
    """Sorted random keys with attributes and plays; every 1,000th id is that of `member NUMBER`."""
    random = np.random.default_rng(0)
    keys = random.integers(0, 2**64, (members, 2), np.uint64)
    keys[::1000] = [PLAIN.hash_of(f"member {row}") for row in range(0, members, 1000)]
    keys = keys[np.argsort(keys[:, 0], kind="stable")]
    (folder / "members").mkdir()
    shapes = {
        "keys": (members, 2), "attributes": (members, ATTRIBUTES), "starts": (members + 1,),
        "movies": (members * PLAYS,), "completion": (members * PLAYS,), "age_days": (members * PLAYS,),
    }  # fmt: skip
    for name, shape in shapes.items():
        path = folder / "members" / f"{name}.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=KINDS[name], shape=shape, version=(1, 0))
        step = PART * (PLAYS if len(shape) == 1 and name != "starts" else 1)
        for start in range(0, shape[0], step):
            part = array[start : start + step]
            rows = np.arange(start, start + len(part))
            if name == "keys":
                part[:] = keys[start : start + len(part)]
            elif name == "starts":
                part[:] = rows * PLAYS
            elif name == "movies":
                part[:] = rows % PLAYS * (MOVIES // PLAYS) + rows // PLAYS % (MOVIES // PLAYS)
            else:
                part[:] = random.random(part.shape, np.float32)
        array.flush()
    hashes = [piece_hashes(folder / "members" / f"{name}.npy") for name in FILES]
    np.save(folder / PIECES, np.concatenate(hashes), allow_pickle=False)


def worker(folder: Path, members: int) -> dict[str, float]:
    """Open the table and look members up; what that took, and what this process's memory is made of, in MB."""
    files = json.loads((folder / "files.json").read_text())
    before, began = _memory(), time.perf_counter()
    table = open_members(folder, Manifest(FORMAT, 0, "", {}, {}, {}, files))
    opened = time.perf_counter()
    random = np.random.default_rng(hashlib.sha256(str(time.time_ns()).encode()).digest()[0])
    known = [f"member {row}" for row in random.integers(0, members // 1000, LOOKUPS) * 1000]
    took = []
    for _ in range(2):
        start = time.process_time()  # what other processes do meanwhile doesn't count
        hits = sum(table.find(member_id) is not None for member_id in known)
        took.append((time.process_time() - start) / LOOKUPS * 1e6)
        if hits != LOOKUPS:
            raise RuntimeError("a member of the table was not found")
    after = _memory()
    return {
        "open_ms": (opened - began) * 1e3,
        "first_lookup_us": took[0],
        "next_lookup_us": took[1],
        "own_mb": after["own"] - before["own"],
        "file_mb": after["file"] - before["file"],
    }


def _memory() -> dict[str, float]:
    """MB of this process by Linux's own book-keeping: its own, and file pages that all processes share."""
    kinds = {"Private_Dirty:": "own", "Private_Clean:": "file", "Shared_Clean:": "file"}
    mebibytes = {"own": 0.0, "file": 0.0}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        name, *rest = line.split()
        if name in kinds:
            mebibytes[kinds[name]] += int(rest[0]) / 1024
    return mebibytes


def main() -> None:
    """Write, measure in several processes at once, print a line each and the sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10_000_000, help="how many (%(default)s)")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(worker(arguments.worker, arguments.members)))
        return
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        write_table(folder, arguments.members)
        files = listing(folder)
        (folder / "files.json").write_text(json.dumps(files))
        content = sum(files[f"members/{name}.npy"]["size"] for name in FILES)
        beside = files[PIECES]["size"] / arguments.members
        print(f"{arguments.members:,} members, {content / 1e9:.2f} GB and {beside:.2f} bytes of hashes a member")
        command = [sys.executable, "-m", "benchmarks.members", "--members", str(arguments.members), "--worker", path]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
        for process in running:
            figures = json.loads(process.communicate()[0])
            print(", ".join(f"{name} {value:.1f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
