"""Conversion of a model to files and back: arrays as .npz, trees as a LightGBM model file, everything else as JSON.

Nothing is pickled.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.pair_features import Movies
from features.schema import Schema
from model.artifact.consistency import check_finite, check_forest
from model.artifact.prior_arrays import (
    description_arrays,
    description_of,
    prior_arrays,
    prior_numbers,
    prior_of,
)
from model.errors import WrongForest
from model.facts.catalogue import Catalogue
from model.facts.evidence import MemberEvidence
from model.files.npz import Arrays, arrays_from_bytes, arrays_to_bytes
from model.prediction.calibration import Calibration, Tables
from model.prediction.drift_reference import Reference
from model.prediction.movie_targets import Offsets
from model.prediction.pair_columns import PairColumns, feature_names
from model.prediction.prior.prior import Prior
from model.prediction.trees import Trees


@dataclass(frozen=True)
class Core:
    """The fitted parts of a model: all but its schema, catalogue and published members."""

    prior: Prior
    offsets: Mapping[MemberEvidence, Offsets]
    pairs: PairColumns
    trees: Trees
    calibration: Calibration
    reference: Reference


def core_to_files(core: Core, schema: Schema) -> dict[str, bytes]:
    """Return the contents of the files that hold the fitted parts of a model, by file name."""
    arrays, of_prior = prior_arrays(core.prior), prior_numbers(core.prior)
    for evidence, offsets in core.offsets.items():
        arrays[f"offset.{int(evidence)}"] = offsets.movies
        arrays |= description_arrays(f"offset.{int(evidence)}.description", offsets.description)
    numbers = of_prior | {
        "grouped": list(core.pairs.grouped),
        "features": feature_names(schema, core.pairs.grouped),
        "tree_weights": {str(int(kind)): weight for kind, weight in core.trees.weights.items()},
    }
    calibration = {
        f"{int(kind)}.{field.name}": getattr(tables, field.name)
        for kind, tables in core.calibration.tables.items()
        for field in fields(Tables)
    }
    trees = "" if core.trees.booster is None else core.trees.booster.model_to_string(num_iteration=-1)
    return {
        "prior.npz": arrays_to_bytes(arrays),
        "pairs.npz": arrays_to_bytes({field.name: getattr(core.pairs.movies, field.name) for field in fields(Movies)}),
        "calibration.npz": arrays_to_bytes(calibration),
        "numbers.json": to_json(numbers),
        "reference.json": to_json(core.reference.to_dict()),
        "trees.txt": trees.encode(),
    }


def core_from_files(files: Mapping[str, bytes], schema: Schema) -> Core:
    """Return the fitted parts of a model that `core_to_files` wrote.

    Raises ValueError, KeyError or WrongForest if a file is invalid.
    """
    arrays, numbers = arrays_from_bytes(files["prior.npz"]), from_json(files["numbers.json"])
    prior = prior_of(arrays, numbers)
    offsets = {
        kind: Offsets(
            arrays[f"offset.{int(kind)}"],
            description_of(arrays, f"offset.{int(kind)}.description", prior.description.year),
        )
        for kind in MemberEvidence
        if f"offset.{int(kind)}" in arrays
    }
    movies = Movies(**arrays_from_bytes(files["pairs.npz"]))
    grouped = tuple(numbers["grouped"])
    names = feature_names(schema, grouped)
    if numbers["features"] != names:
        raise ValueError("the trees' features aren't those of this program")
    weights = {MemberEvidence(int(kind)): weight for kind, weight in numbers["tree_weights"].items()}
    calibration = _calibration(arrays_from_bytes(files["calibration.npz"]))
    reference = Reference.from_dict(from_json(files["reference.json"]))
    booster = _forest(files["trees.txt"], len(names))
    core = Core(prior, offsets, PairColumns(movies, grouped), Trees(booster, weights), calibration, reference)
    check_finite(core, "the core")
    return core


def catalogue_to_bytes(catalogue: Catalogue) -> bytes:
    """Return the catalogue of movies as an .npz file."""
    texts = {name: _texts_to_array(getattr(catalogue, name)) for name in ("movie_ids", "titles")}
    names = ("rated", "release_year", "genres", "attributes")
    return arrays_to_bytes({**texts, **{name: getattr(catalogue, name) for name in names}})


def catalogue_from_bytes(content: bytes) -> Catalogue:
    """Return the catalogue of movies that `catalogue_to_bytes` wrote."""
    arrays = arrays_from_bytes(content)
    movie_ids = _texts_from_array(arrays.pop("movie_ids"))
    titles = _texts_from_array(arrays.pop("titles")) if "titles" in arrays else []
    return Catalogue(movie_ids, titles=titles, **arrays)


def _texts_to_array(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return texts as bytes in UTF-8, one JSON string on each line."""
    return np.frombuffer("\n".join(map(json.dumps, texts)).encode(), np.uint8)


def _texts_from_array(array: NDArray[np.uint8]) -> list[str]:
    """Return the texts that `_texts_to_array` wrote. Raises ValueError if the array isn't one of texts."""
    texts: list[str] = json.loads(f"[{array.tobytes().decode().replace(chr(10), ',')}]")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("the catalogue holds an id or a title that is no text")
    return texts


def to_json(given: dict[str, Any]) -> bytes:
    """Return a dictionary as indented JSON; equal dictionaries give equal bytes."""
    return (json.dumps(given, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def from_json(content: bytes) -> Any:
    """Parse JSON. Raises ValueError if it is invalid, or contains NaN or infinity, which the JSON standard excludes."""
    return json.loads(content, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _forest(content: bytes, features: int) -> lightgbm.Booster | None:
    """Return the trees in a LightGBM model file; None if the file is empty, since the model has no trees.

    Raises WrongForest if LightGBM can't read the file or the model is invalid. Some malformed files crash the process.
    """
    if not content:
        return None
    try:
        booster = lightgbm.Booster(model_str=content.decode("ascii"))
    except (UnicodeDecodeError, lightgbm.basic.LightGBMError) as error:
        raise WrongForest("trees.txt can't be read by LightGBM") from error
    check_forest(booster, features)
    return booster


def _calibration(arrays: Arrays) -> Calibration:
    kinds = sorted({int(name.split(".")[0]) for name in arrays})
    names = [field.name for field in fields(Tables)]
    return Calibration(
        {MemberEvidence(kind): Tables(**{name: arrays[f"{kind}.{name}"] for name in names}) for kind in kinds}
    )
