"""Ways in which a published version can be wrong, each made from a sound one."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drills.wrong_models import Harm, harms
from model.artifact.artifact import PIECES
from model.facts.member_table import FILES as TABLE
from model.facts.member_table import RATING_FILES as RATING_TABLE
from model.files.checked_array import piece_hashes
from model.files.plain_files import MANIFEST, version_of

FILES = (
    "manifest.json", "schema.json", "catalogue.npz", "prior.npz", "pairs.npz", "numbers.json", "trees.txt",
    "golden.npz", "calibration.npz", "report.json", "members/keys.npy", "members/attributes.npy", "members/starts.npy",
    "members/movies.npy", "members/completion.npy", "members/age_days.npy", "members/ratings.npy",
    "members/rated_at.npy", "members/pieces.npy",
)  # fmt: skip
"""Every file of a version but run.json, which isn't hashed."""
PAGE = 4096


@dataclass(frozen=True)
class Case:
    """One way to be wrong."""

    name: str
    """What is done to the version."""
    harm: Harm
    """Does it to a version's folder."""
    sealed: bool
    """Whether the manifest is made anew, so that every hash fits and only what the files say is wrong."""


def cases() -> list[Case]:
    """All of them."""
    return [*_torn(), *_misplaced(), *_manifests(), *(Case(name, harm, sealed=True) for name, harm in harms())]


def make(case: Case, good: Path, versions: Path, seed: int) -> str:
    """Put a wrong version among the versions, made of a good one; returns its name."""
    beside = versions / f".wrong-{seed}"
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(good, beside)
    version = _renamed(beside, seed)
    case.harm(beside, np.random.default_rng(seed))
    if case.sealed:
        version = seal(beside)
    target = versions / version
    if target.is_symlink() or target.exists():
        shutil.rmtree(target)
    beside.rename(target)
    return version


def seal(folder: Path) -> str:
    """Write a manifest that fits the files as they are now; returns the version."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    paths = [folder / "members" / f"{name}.npy" for name in TABLE + RATING_TABLE]
    if all(path.is_file() for path in paths):
        pieces = np.concatenate([piece_hashes(path) for path in paths])
        np.save(folder / PIECES, pieces, allow_pickle=False)
    for name in manifest["files"] if isinstance(manifest["files"], dict) else ():
        path = folder / name
        if path.is_file():
            content = path.read_bytes()
            manifest["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return _write(folder, manifest)


def _renamed(folder: Path, number: int) -> str:
    """Make a sound version another one by spaces at the end of its manifest."""
    content = (folder / MANIFEST).read_bytes() + b" " * (number + 1)
    (folder / MANIFEST).write_bytes(content)
    return version_of(content)


def _write(folder: Path, manifest: dict[str, Any]) -> str:
    content = json.dumps(manifest).encode()
    (folder / MANIFEST).write_bytes(content)
    return version_of(content)


def _torn() -> Iterator[Case]:
    """Files that were not written to their end, or that a disk changed."""

    def cut(name: str, part: float) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            content = (folder / name).read_bytes()
            (folder / name).write_bytes(content[: int(len(content) * part)])

        return harm

    def flip(name: str) -> Harm:
        def harm(folder: Path, random: np.random.Generator) -> None:
            content = bytearray((folder / name).read_bytes())
            content[int(random.integers(len(content)))] ^= 1 << int(random.integers(8))
            (folder / name).write_bytes(content)

        return harm

    def zero(name: str) -> Harm:
        def harm(folder: Path, random: np.random.Generator) -> None:
            content = bytearray((folder / name).read_bytes())
            start = int(random.integers(max(len(content) - PAGE, 1)))
            page = content[start : start + PAGE]
            content[start : start + PAGE] = bytes(len(page)) if any(page) else b"\1" * len(page)
            (folder / name).write_bytes(content)

        return harm

    for name in FILES:
        for part in (0.0, 0.3, 0.999):
            yield Case(f"{name} cut to {part:.1%}", cut(name, part), sealed=False)
        for number in range(4):
            yield Case(f"{name} with bit {number} flipped", flip(name), sealed=False)
        yield Case(f"{name} with a page of zeros", zero(name), sealed=False)
    for part in (0.0, 0.1, 0.4, 0.7, 0.9, 0.99):
        yield Case(f"trees.txt cut to {part:.0%} under a manifest that fits", cut("trees.txt", part), sealed=True)
    for name in (
        "schema.json",
        "catalogue.npz",
        "prior.npz",
        "pairs.npz",
        "numbers.json",
        "reference.json",
        "golden.npz",
    ):
        yield Case(f"{name} cut to half under a manifest that fits", cut(name, 0.5), sealed=True)
    for name in TABLE + RATING_TABLE:
        yield Case(f"members/{name}.npy cut to half under a manifest that fits", cut(f"members/{name}.npy", 0.5), True)


def _misplaced() -> Iterator[Case]:
    """Files that are missing, swapped, extra, or not files of the folder at all."""

    def without(name: str) -> Harm:
        return lambda folder, _: (folder / name).unlink()

    def swap(name: str, other: str) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            first, second = (folder / name).read_bytes(), (folder / other).read_bytes()
            (folder / name).write_bytes(second)
            (folder / other).write_bytes(first)

        return harm

    def link(name: str, target: str) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            (folder / name).unlink()
            (folder / name).symlink_to(target)

        return harm

    def pipe(name: str) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            (folder / name).unlink()
            os.mkfifo(folder / name)

        return harm

    def inside(name: str) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            (folder / name).unlink()
            (folder / name).mkdir()

        return harm

    def more(name: str) -> Harm:
        return lambda folder, _: (folder / name).write_bytes(b"more") and None

    def outside(folder: Path, _: np.random.Generator) -> None:
        """The very file, kept elsewhere: the hash fits and the link still leads out."""
        away = folder.parent.parent / "prior-outside.npz"
        shutil.copyfile(folder / "prior.npz", away)
        (folder / "prior.npz").unlink()
        (folder / "prior.npz").symlink_to(away)

    for name in (*FILES, "run.json"):
        yield Case(f"{name} missing", without(name), sealed=False)
    for name in ("run.json", "prior.npz", "members/keys.npy", "trees.txt"):
        yield Case(f"{name} is a link to /etc/passwd", link(name, "/etc/passwd"), sealed=False)
        yield Case(f"{name} is a link to nowhere", link(name, "nowhere"), sealed=False)
        yield Case(f"{name} is a pipe", pipe(name), sealed=False)
        yield Case(f"{name} is a folder", inside(name), sealed=False)
    yield Case("trees.txt is a link to /dev/zero", link("trees.txt", "/dev/zero"), sealed=False)
    yield Case("prior.npz is a link to the same content elsewhere", outside, sealed=False)
    for name in ("more.txt", "members/more.npy", ".hidden", "trees.txt.bak", "model.pkl"):
        yield Case(f"{name} beside the listed files", more(name), sealed=False)
    pairs = (
        ("prior.npz", "pairs.npz"), ("numbers.json", "schema.json"), ("trees.txt", "numbers.json"),
        ("members/completion.npy", "members/age_days.npy"), ("members/movies.npy", "members/starts.npy"),
    )  # fmt: skip
    for name, other in pairs:
        yield Case(f"{name} and {other} swapped", swap(name, other), sealed=False)
        if "completion" not in name:
            yield Case(f"{name} and {other} swapped under a manifest that fits", swap(name, other), sealed=True)


def _manifests() -> Iterator[Case]:
    """Manifests that say something else."""

    def edit(change: Callable[[dict[str, Any]], object]) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            manifest = json.loads((folder / MANIFEST).read_bytes())
            change(manifest)
            _write(folder, manifest)

        return harm

    def text(content: bytes) -> Harm:
        return lambda folder, _: (folder / MANIFEST).write_bytes(content) and None

    def run(content: bytes) -> Harm:
        return lambda folder, _: (folder / "run.json").write_bytes(content) and None

    edits: dict[str, Callable[[dict[str, Any]], object]] = {
        "another seed": lambda manifest: manifest.update(seed=99),
        "a hash of another file": lambda manifest: manifest["files"]["prior.npz"].update(sha256="0" * 64),
        "another size": lambda manifest: manifest["files"]["prior.npz"].update(size=1),
        "a file less": lambda manifest: manifest["files"].pop("trees.txt"),
    }
    for name, change in edits.items():
        yield Case(f"manifest with {name}", edit(change), sealed=False)
    for name, content in {"nothing": b"", "no JSON": b"\xff\xfe", "a list": b"[]", "deep": b"[" * 100_000}.items():
        yield Case(f"manifest of {name}", text(content), sealed=False)
    sealed: dict[str, Callable[[dict[str, Any]], object]] = {
        "format 99": lambda manifest: manifest.update(format=99),
        "no format": lambda manifest: manifest.pop("format"),
        "a file that leads out": lambda manifest: manifest["files"].update({"../x": {"size": 1, "sha256": ""}}),
        "an absolute file": lambda manifest: manifest["files"].update({"/etc/passwd": {"size": 1, "sha256": ""}}),
        "itself listed": lambda manifest: manifest["files"].update({MANIFEST: {"size": 1, "sha256": ""}}),
        "sizes that are text": lambda manifest: manifest["files"].update({"x": {"size": "1", "sha256": ""}}),
        "a huge file": lambda manifest: manifest["files"].update({"x": {"size": 1 << 50, "sha256": ""}}),
        "files that are a list": lambda manifest: manifest.update(files=[1, 2]),
    }  # fmt: skip
    for name, change in sealed.items():
        yield Case(f"manifest with {name}, its own name right", edit(change), sealed=True)
    for name in ("trees.txt", "prior.npz", "golden.npz", "members/keys.npy"):
        yield Case(f"{name} neither listed nor there", _dropped(name), sealed=True)
    times = (b'{"trained_at": "garbage", "seconds": 1}', b'{"trained_at": 7, "seconds": 1}', b"{}", b"", b"null",
             b'{"trained_at": "0001-01-01T00:00:00+00:00", "seconds": 1}',
             b'{"trained_at": "2024-01-01T00:00:00+00:00", "seconds": NaN}')  # fmt: skip
    for content in times:
        yield Case(f"run.json of {content[:60]!r}", run(content), sealed=False)


def _dropped(name: str) -> Harm:
    def harm(folder: Path, _: np.random.Generator) -> None:
        (folder / name).unlink()
        manifest = json.loads((folder / MANIFEST).read_bytes())
        del manifest["files"][name]
        _write(folder, manifest)

    return harm
