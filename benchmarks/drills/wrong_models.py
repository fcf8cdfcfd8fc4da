"""Wrong models whose every hash fits: forests, arrays, numbers and archives that a model can't be made of."""

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from model.files.npz import arrays_from_bytes, arrays_to_bytes

Harm = Callable[[Path, np.random.Generator], None]
"""Does something to a version's folder."""
Named = tuple[str, Harm]


def harms() -> list[Named]:
    """All of them, by what they do."""
    return [*_forests(), *_arrays(), *_numbers(), *_bombs()]


def _forests() -> Iterator[Named]:
    """Forests that LightGBM dies of, hangs on, or reads and predicts wrong with; every hash fits."""

    def number(key: str, value: str, tree: int = 0) -> Harm:
        return numbers(key, lambda words: [value, *words[1:]], tree)

    def numbers(key: str, change: Callable[[list[str]], list[str]], tree: int = 0) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            text = (folder / "trees.txt").read_text()
            line = list(re.finditer(rf"^{key}=(.*)$", text, re.MULTILINE))[tree]
            words = change(line[1].split(" "))
            changed = text[: line.start(1)] + " ".join(words) + text[line.end(1) :]
            head = re.search(r"tree_sizes=([\d ]+)", changed)
            assert head is not None  # noqa: S101 # every forest has them
            sizes = head[1].split(" ")
            sizes[tree] = str(int(sizes[tree]) + len(changed) - len(text))
            (folder / "trees.txt").write_text(changed[: head.start(1)] + " ".join(sizes) + changed[head.end(1) :])

        return harm

    def replaced(old: str, new: str) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            text = (folder / "trees.txt").read_text()
            assert old in text, old  # noqa: S101 # else nothing would be wrong
            (folder / "trees.txt").write_text(text.replace(old, new, 1))

        return harm

    changes = [
        ("left_child", ("99", "-99", "0", "2147483647", "-2147483648", "1.5")), ("right_child", ("99", "-99", "0")),
        ("split_feature", ("999", "-1", "2147483647")), ("threshold", ("nan", "x", "1e400000")),
        ("leaf_value", ("nan", "inf", "-inf", "1e300", "x", "")), ("num_leaves", ("0", "1", "-1", "99", "2000000000")),
        ("decision_type", ("1", "77", "-1")), ("num_cat", ("1", "-1")), ("is_linear", ("1",)), ("shrinkage", ("nan",)),
        ("leaf_count", ("x",)), ("internal_value", ("nan",)),
    ]  # fmt: skip
    for key, values in changes:
        for value in values:
            yield (f"{key} {value or 'nothing'} in a tree, every hash right", number(key, value))
    yield ("a leaf of NaN in the last tree", number("leaf_value", "nan", tree=-1))
    yield ("leaves that are off by a rating point", numbers("leaf_value", lambda words: ["1.0"] * len(words)))
    texts = [
        ("max_feature_idx=", "max_feature_idx=9"), ("tree_sizes=", "tree_sizes=9"), ("tree_sizes=", "tree_sizes=1 "),
        ("version=v4", "version=v9"), ("objective=regression", "objective=custom"), ("num_class=1", "num_class=3"),
        ("Tree=1\n", "Tree=1000000\n"), ("end of trees", ""), ("Column_0 Column_1", "Column_1 Column_0"),
        ("tree\n", "tree\naverage_output\n"), ("end of parameters", ""), ("num_tree_per_iteration=1", ""),
    ]  # fmt: skip
    for old, new in texts:
        yield (f"forest with {new.strip()!r} for {old.strip()!r}", replaced(old, new))


def _arrays() -> Iterator[Named]:
    """Arrays that don't fit the model; every hash fits."""

    def changed(file: str, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            arrays = arrays_from_bytes((folder / file).read_bytes())
            (folder / file).write_bytes(arrays_to_bytes(arrays | {name: change(arrays[name])}))

        return harm

    def anything(file: str, number: int, change: Callable[[np.ndarray], np.ndarray]) -> Harm:
        """Of arrays that are floating, the one of that number by name."""

        def harm(folder: Path, _: np.random.Generator) -> None:
            arrays = arrays_from_bytes((folder / file).read_bytes())
            name = sorted(name for name, array in arrays.items() if array.dtype.kind == "f" and array.size > 1)[number]
            (folder / file).write_bytes(arrays_to_bytes(arrays | {name: change(arrays[name])}))

        return harm

    def table(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            path = folder / "members" / f"{name}.npy"
            np.save(path, change(np.load(path, allow_pickle=False)), allow_pickle=False)

        return harm

    def infinite(array: np.ndarray) -> np.ndarray:
        changed = array.copy()
        changed.flat[0] = np.inf
        return changed

    for name in ("movies", "average_member", "columns", "embedding", "head.3.linear", "spread.3", "offset.3"):
        yield (f"prior.npz, {name} infinite", changed("prior.npz", name, infinite))
        yield (f"prior.npz, {name} a row short", changed("prior.npz", name, lambda array: array[:-1]))
    yield ("prior.npz, movies of text", changed("prior.npz", "movies", lambda array: array.astype("S8")))
    yield ("prior.npz, movies off a little", changed("prior.npz", "movies", lambda array: array + 0.01))
    yield ("pairs.npz, numbers infinite", changed("pairs.npz", "numbers", infinite))
    for number in range(3):
        yield (f"calibration.npz, array {number} infinite", anything("calibration.npz", number, infinite))
        yield (f"calibration.npz, array {number} a row short", anything("calibration.npz", number, lambda a: a[:-1]))
    yield ("catalogue.npz, rated as numbers", changed("catalogue.npz", "rated", lambda a: a * 1.0))
    yield ("members, movies beyond the catalogue", table("movies", lambda array: array + 100_000))
    yield ("members, negative movies", table("movies", lambda array: array - 100_000))
    yield ("members, starts that fall", table("starts", lambda array: array[::-1].copy()))
    yield ("members, keys of another kind", table("keys", lambda array: array.astype(float)))
    yield ("members, a row less", table("attributes", lambda array: array[:-1]))


def _numbers() -> Iterator[Named]:
    """JSON that a model can't be made of; every hash fits."""

    def edit(file: str, change: Callable[[dict[str, Any]], object]) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            given = json.loads((folder / file).read_bytes())
            change(given)
            (folder / file).write_text(json.dumps(given))

        return harm

    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "mean of NaN": lambda given: given.update(mean=float("nan")),
        "negative noise": lambda given: given.update(noise=-1.0),
        "tree weights beyond 1": lambda given: given.update(tree_weights={"2": 9.0}),
        "features in another order": lambda given: given["features"].reverse(),
        "attributes that aren't there": lambda given: given.update(grouped=[999]),
        "no heads": lambda given: given.update(gammas={}),
        "another mean": lambda given: given.update(mean=given["mean"] + 0.001),
    }
    for name, change in changes.items():
        yield (f"numbers.json with {name}", edit("numbers.json", change))
    schemas: dict[str, Callable[[dict[str, Any]], object]] = {
        "no scale": lambda given: given.pop("scale"),
        "a scale upside down": lambda given: given["scale"].update(low=9.0),
        "a genre less": lambda given: given["genres"].pop(),
        "an attribute less": lambda given: given["member_attributes"].pop(),
        "an attribute of no kind": lambda given: given["member_attributes"][0].update(kind="text"),
    }
    for name, change in schemas.items():
        yield (f"schema.json with {name}", edit("schema.json", change))


def _bombs() -> Iterator[Named]:
    """Small files that would become large ones."""

    def packed(file: str) -> Harm:
        def harm(folder: Path, _: np.random.Generator) -> None:
            out, content = BytesIO(), BytesIO()
            np.save(content, np.zeros(200_000_000, np.uint8), allow_pickle=False)
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.writestr("movies.npy", content.getvalue())
            (folder / file).write_bytes(out.getvalue())

        return harm

    def claims(folder: Path, _: np.random.Generator) -> None:
        arrays = arrays_from_bytes((folder / "prior.npz").read_bytes())
        content = arrays_to_bytes(arrays | {"movies": np.zeros(3)})
        (folder / "prior.npz").write_bytes(content.replace(b"'shape': (3,), }  ", b"'shape': (9999999999,), }"[:18]))

    def spaces(folder: Path, _: np.random.Generator) -> None:
        with (folder / "numbers.json").open("ab") as file:
            file.truncate((64 << 20) + 1)

    for file in ("prior.npz", "catalogue.npz", "golden.npz"):
        yield (f"{file} is a zip bomb", packed(file))
    yield ("an array that claims to be huge", claims)
    yield ("JSON of 64 MiB", spaces)
