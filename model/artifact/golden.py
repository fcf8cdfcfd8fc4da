"""Golden predictions: stored with a model for made-up members, and compared with what the loaded model predicts.

The members are generated at random from the schema and the catalogue; no real member is used.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts, MovieFacts, Ratings
from model.files.npz import Arrays, arrays_from_bytes, arrays_to_bytes
from model.prediction.model import Model
from model.prediction.movie_targets import Movie
from model.prediction.predictions import ARRAYS, Predictions

GOLDEN = "golden.npz"
SEED = 0
PLAYS = (1, 5, 20)
"""Numbers of plays of the made-up members; there is one member for each number and each kind of evidence."""
MOVIES = 20
TOLERANCE = 1e-5
"""Tolerance of the comparison, relative and absolute; the last digits of sums in single precision may depend on the
processor."""
STEPPED, FLIPPED_SHARE = ("lower", "upper", "extrapolation"), 0.02
"""Parts of a prediction that are step functions, and the share of them that may differ because rounding crosses a
step."""
_FACTS = ("attributes", "movies", "completion", "age_days")
_RATINGS = {"rated": "movies", "ratings": "values"}
"""Arrays of Ratings by their names in the file."""


def golden_to_bytes(model: Model) -> bytes:
    """Return made-up members, movies and the model's predictions for them as an .npz file, for later comparison."""
    random = np.random.default_rng(SEED)
    members = list(_members(model.schema, len(model.catalogue), random))
    rows = random.permutation(len(model.catalogue))[:MOVIES].astype(np.int32)
    arrays: Arrays = {"rows": rows, "genres": np.zeros(len(model.schema.genres), np.float32)}
    arrays["genres"][:1] = 1
    arrays["plays"] = np.array([len(member.movies) for member in members], np.int64)
    arrays["rating_counts"] = np.array([len(member.ratings) for member in members], np.int64)
    arrays |= {name: np.concatenate([getattr(member, name) for member in members]) for name in _FACTS}
    arrays |= {
        name: np.concatenate([getattr(member.ratings, own) for member in members]) for name, own in _RATINGS.items()
    }
    arrays |= _answers(model, arrays)
    return arrays_to_bytes(arrays)


def check_golden(model: Model, content: bytes) -> None:
    """Raise ValueError unless the model repeats the predictions that `golden_to_bytes` stored at publication."""
    arrays = arrays_from_bytes(content)
    for name, values in _answers(model, arrays).items():
        stored = arrays[name]
        most = FLIPPED_SHARE if name in STEPPED else 0.0
        if stored.shape != values.shape or _differing(stored, values) > most:
            raise ValueError(f"{name} isn't what it was when the model was published")


def _differing(stored: NDArray[Any], values: NDArray[Any]) -> float:
    """Return the share of predicted numbers that differ from the stored ones by more than the tolerance."""
    return float(np.mean(~np.isclose(stored, values, rtol=TOLERANCE, atol=TOLERANCE)))


def _answers(model: Model, arrays: Arrays) -> Arrays:
    """Return the model's predictions for all made-up members that are stored, as arrays by field.

    The movies are the stored rows of the catalogue, then one movie with only a description and one unknown movie.
    """
    described = MovieFacts(
        2000.0, arrays["genres"], np.full(len(model.schema.movie_attributes), np.nan, np.float32)
    )  # fmt: skip
    movies: list[Movie] = [*arrays["rows"].tolist(), described, None]
    predictions = [model.predict(member, movies) for member in _stored(arrays, len(model.schema.member_attributes))]
    whole = Predictions.join(predictions, predictions[0].member_evidence)
    evidence = np.array([member.member_evidence for member in predictions], np.int64)
    return {name: getattr(whole, name) for name in ARRAYS} | {"member_evidence": evidence}


def _stored(arrays: Arrays, width: int) -> Iterator[MemberFacts]:
    if "rating_counts" not in arrays:  # a version of format 3
        arrays = arrays | {name: np.empty(0) for name in _RATINGS} | {"rating_counts": np.zeros_like(arrays["plays"])}
    ends, rated_ends = np.cumsum(arrays["plays"]), np.cumsum(arrays["rating_counts"])
    attributes = arrays["attributes"].reshape(len(ends), width)
    for number, (end, plays) in enumerate(zip(ends.tolist(), arrays["plays"].tolist(), strict=True)):
        own, rated = (
            slice(end - plays, end),
            slice(rated_ends[number] - arrays["rating_counts"][number], rated_ends[number]),
        )
        values = arrays["ratings"][rated]
        yield MemberFacts(
            attributes[number], arrays["movies"][own], arrays["completion"][own], arrays["age_days"][own],
            Ratings(arrays["rated"][rated], values, np.full(len(values), np.nan)),
        )  # fmt: skip


def _members(schema: Schema, movies: int, random: np.random.Generator) -> Iterator[MemberFacts]:
    """Yield made-up members with every kind of evidence, drawn at random; of those with ratings, half of the plays."""
    for kind in MemberEvidence:
        for count in PLAYS:
            plays = min(count, movies) if kind.has_plays else 0
            rows = np.sort(random.permutation(movies)[:plays]).astype(np.int32)
            rated = rows[: -(-plays // 2)] if kind.has_ratings else rows[:0]
            yield MemberFacts(
                _attributes(schema, random) if kind.has_attributes else MemberFacts.nothing(schema).attributes,
                rows,
                random.random(plays).astype(np.float32),
                (1000 * random.random(plays)).astype(np.float32),
                Ratings(
                    rated, random.uniform(schema.scale.low, schema.scale.high, len(rated)), np.full(len(rated), np.nan)
                ),
            )


def _attributes(schema: Schema, random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return a random value for each attribute of a made-up member."""
    values = np.full(len(schema.member_attributes), np.nan, np.float32)
    for place, attribute in enumerate(schema.member_attributes):
        if attribute.kind == "categorical" and attribute.width:
            values[place] = random.integers(attribute.width)
        elif attribute.kind == "numeric":
            low, high = (attribute.knots[0], attribute.knots[-1]) if attribute.knots else (0.0, 1.0)
            values[place] = low + (high - low) * random.random()
    return values
