"""The files of a model: arrays as NumPy's .npz, the rest as JSON, trees as LightGBM's text. Nothing is pickled."""

import io
import json
import mmap
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.pairs import Movies
from features.schema import Attribute, Schema
from model.calibration import Calibration, Curve
from model.catalogue import Catalogue
from model.evidence import MemberEvidence, MovieEvidence
from model.inputs import MovieColumns
from model.pairs import PairColumns
from model.prior import Description, Prior
from model.regression import KernelRegression
from model.targets import Offsets
from model.trees import Trees

Arrays = dict[str, NDArray[Any]]
FIXED_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Core:
    """The fitted parts of a model."""

    prior: Prior
    offsets: Mapping[MemberEvidence, Offsets]
    pairs: PairColumns
    trees: Trees
    calibration: Calibration


def core_to_files(core: Core) -> dict[str, bytes]:
    """Contents of the core's files by name."""
    prior, columns = core.prior, core.prior.columns
    arrays: Arrays = {name: getattr(columns, name) for name in _COLUMN_ARRAYS}
    arrays |= {name: getattr(prior, name) for name in ("movies", "average_member", "movie_variance")}
    arrays |= _description_arrays("description", prior.description)
    for evidence, head in prior.heads.items():
        arrays |= {f"head.{int(evidence)}.{name}": getattr(head, name) for name in _HEAD_ARRAYS}
    arrays |= {f"spread.{int(evidence)}": spread for evidence, spread in prior.spread.items()}
    for evidence, offsets in core.offsets.items():
        arrays[f"offset.{int(evidence)}"] = offsets.movies
        arrays |= _description_arrays(f"offset.{int(evidence)}.description", offsets.description)
    numbers = {
        "mean": prior.mean,
        "noise": prior.noise,
        "mean_year": columns.mean_year,
        "columns": list(columns.names),
        "year_knots": list(prior.description.year.knots),
        "unrated_variance": {str(int(kind)): value for kind, value in prior.unrated_variance.items()},
        "heads": {
            str(int(kind)): {"gamma": head.gamma, "usual_distance": head.usual_distance}
            for kind, head in prior.heads.items()
        },
        "grouped": list(core.pairs.grouped),
        "tree_weights": {str(int(kind)): weight for kind, weight in core.trees.weights.items()},
        "reach": {f"{int(a)},{int(b)}": list(reach) for (a, b), reach in core.calibration.reach.items()},
        "enjoyed": {
            f"{int(a)},{int(b)}": {"at": list(curve.at), "value": list(curve.value)}
            for (a, b), curve in core.calibration.enjoyed.items()
        },
    }
    trees = "" if core.trees.booster is None else core.trees.booster.model_to_string(num_iteration=-1)
    return {
        "prior.npz": arrays_to_bytes(arrays),
        "pairs.npz": arrays_to_bytes({field.name: getattr(core.pairs.movies, field.name) for field in fields(Movies)}),
        "numbers.json": to_json(numbers),
        "trees.txt": trees.encode(),
    }


def core_from_files(files: Mapping[str, bytes], schema: Schema, movie_count: int) -> Core:
    """The core that `core_to_files` wrote; raises ValueError or KeyError for anything else."""
    arrays, numbers = arrays_from_bytes(files["prior.npz"]), json.loads(files["numbers.json"])
    year = Attribute("release_year", "numeric", knots=tuple(numbers["year_knots"]))
    heads = {
        MemberEvidence(int(kind)): KernelRegression(
            gamma=float(given["gamma"]),
            usual_distance=float(given["usual_distance"]),
            **{name: arrays[f"head.{kind}.{name}"] for name in _HEAD_ARRAYS},
        )
        for kind, given in numbers["heads"].items()
    }
    columns = MovieColumns(
        names=tuple(numbers["columns"]),
        mean_year=numbers["mean_year"],
        **{name: arrays[name] for name in _COLUMN_ARRAYS},
    )
    prior = Prior(
        mean=numbers["mean"],
        columns=columns,
        movies=arrays["movies"],
        description=_description(arrays, "description", year),
        average_member=arrays["average_member"],
        heads=heads,
        spread={kind: arrays[f"spread.{int(kind)}"] for kind in MemberEvidence if f"spread.{int(kind)}" in arrays},
        movie_variance=arrays["movie_variance"],
        unrated_variance={MovieEvidence(int(kind)): value for kind, value in numbers["unrated_variance"].items()},
        noise=numbers["noise"],
    )
    offsets = {
        kind: Offsets(arrays[f"offset.{int(kind)}"], _description(arrays, f"offset.{int(kind)}.description", year))
        for kind in MemberEvidence
        if f"offset.{int(kind)}" in arrays
    }
    movies = Movies(**arrays_from_bytes(files["pairs.npz"]))
    for array in (prior.movies, columns.columns, columns.embedding, movies.numbers, movies.direction):
        if len(array) != movie_count:
            raise ValueError("an array has another number of movies than the catalogue")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("a number of the prior isn't finite")
    text = files["trees.txt"].decode()
    booster = lightgbm.Booster(model_str=text) if text else None
    weights = {MemberEvidence(int(kind)): weight for kind, weight in numbers["tree_weights"].items()}
    calibration = Calibration(
        {_pair(name): (reach[0], reach[1]) for name, reach in numbers["reach"].items()},
        {_pair(name): Curve(tuple(curve["at"]), tuple(curve["value"])) for name, curve in numbers["enjoyed"].items()},
    )
    if len(schema.member_attributes) <= max(numbers["grouped"], default=-1):
        raise ValueError("an attribute is missing from the schema")
    return Core(prior, offsets, PairColumns(movies, tuple(numbers["grouped"])), Trees(booster, weights), calibration)


def catalogue_to_bytes(catalogue: Catalogue) -> bytes:
    """The catalogue as one .npz."""
    ids = np.frombuffer("\n".join(json.dumps(movie_id) for movie_id in catalogue.movie_ids).encode(), np.uint8)
    names = ("rated", "release_year", "genres", "attributes")
    return arrays_to_bytes({"movie_ids": ids, **{name: getattr(catalogue, name) for name in names}})


def catalogue_from_bytes(content: bytes) -> Catalogue:
    """The catalogue that `catalogue_to_bytes` wrote."""
    arrays = arrays_from_bytes(content)
    movie_ids = [json.loads(line) for line in arrays.pop("movie_ids").tobytes().decode().split("\n")]
    if any(len(array) != len(movie_ids) for array in arrays.values()):
        raise ValueError("arrays of different lengths")
    return Catalogue(movie_ids, **arrays)


def arrays_to_bytes(arrays: Arrays) -> bytes:
    """An uncompressed .npz of the arrays, the same bytes for the same arrays."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            one = io.BytesIO()
            np.save(one, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", FIXED_DATE), one.getvalue())
    return out.getvalue()


def arrays_from_bytes(content: bytes) -> Arrays:
    """The arrays of an .npz."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def array_over(content: mmap.mmap) -> NDArray[Any]:
    """The array of a mapped .npy file, without a copy; raises ValueError for anything else."""
    head = io.BytesIO(content[:4096])
    version = np.lib.format.read_magic(head)
    if version != (1, 0):
        raise ValueError("another .npy format")
    shape, by_column, kind = np.lib.format.read_array_header_1_0(head)
    if by_column or kind.hasobject:
        raise ValueError("an array of objects, or by columns")
    array = np.frombuffer(content, kind, count=int(np.prod(shape)), offset=head.tell())
    return array.reshape(shape)


def to_json(given: dict[str, Any]) -> bytes:
    """JSON for people to read, the same bytes for the same content."""
    return (json.dumps(given, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


_COLUMN_ARRAYS = ("columns", "embedding", "squared_weight", "taste")
_HEAD_ARRAYS = ("centre", "scale", "landmarks", "intercept", "linear", "bumps")
_DESCRIPTION_ARRAYS = ("centre", "intercept", "weights")


def _description_arrays(name: str, description: Description) -> Arrays:
    return {f"{name}.{part}": getattr(description, part) for part in _DESCRIPTION_ARRAYS}


def _description(arrays: Arrays, name: str, year: Attribute) -> Description:
    return Description(year, **{part: arrays[f"{name}.{part}"] for part in _DESCRIPTION_ARRAYS})


def _pair(name: str) -> tuple[MemberEvidence, MovieEvidence]:
    member, movie = name.split(",")
    return MemberEvidence(int(member)), MovieEvidence(int(movie))
