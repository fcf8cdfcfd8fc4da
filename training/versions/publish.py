"""Publishes a fitted model in the store as a new version."""

import importlib.metadata
import platform
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.pair_features import MOVIE_NUMBERS
from model.artifact.artifact import MEMBERS, Parts, load_model, write_files, write_manifest
from model.artifact.serialization import Core, to_json
from model.facts.catalogue import Catalogue
from model.facts.member_key import MemberKey
from model.files.manifest import FORMAT, Manifest
from model.files.plain_files import RUN
from model.store.store import Store
from training.data.dataset import Dataset
from training.report.about import about_data, further
from training.report.model_card import model_card
from training.report.page import report_files
from training.versions.member_files import Publication, write_members

LIBRARIES = ("lightgbm", "numpy", "polars", "scipy")


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, for its manifest: seed, hash of the data, and settings."""

    seed: int
    """Seed of all random numbers."""
    fingerprint: str
    """SHA-256 of the tables of the data directory."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the fit, by dotted path."""


def publish(
    store: Store,
    data: Dataset,
    publication: Publication,
    core: Core,
    origin: Origin,
    evaluation: dict[str, Any],
    notes: list[str],
    run: dict[str, Any],
) -> str:
    """Write a fitted model as a version, check that it can be loaded, publish it without a label, and return its name.

    If a step fails, nothing is left in the store. `data` is the training data, `publication` has the members to
    publish, encoded with the same schema, and `run` is written to run.json.
    """
    with store.workspace() as beside:
        folder = beside / "model"
        write_members(folder / MEMBERS, publication.members, publication.key)
        parts = Parts(data.schema, _catalogue(data, core), core)
        counts = _counts(data, publication, evaluation)
        card = model_card(data.schema, counts, evaluation, str(publication), notes, _libraries())
        about = about_data(counts, origin.fingerprint, origin.seed)
        reports = report_files(evaluation, notes, (), about, [further(None, None)]) | {"MODEL_CARD.md": card.encode()}
        files = write_files(folder, parts, reports)
        version = write_manifest(folder, _manifest(counts, origin, evaluation, files, publication.key))
        (folder / RUN).write_bytes(to_json(run))
        finished = folder.rename(folder.with_name(version))
        load_model(finished, key=publication.key)
        store.publish(finished, version)
    return version


def _manifest(
    counts: dict[str, int],
    origin: Origin,
    evaluation: dict[str, Any],
    files: dict[str, dict[str, Any]],
    key: MemberKey,
) -> Manifest:
    return Manifest(
        format=FORMAT,
        seed=origin.seed,
        data_fingerprint=origin.fingerprint,
        data=counts,
        libraries=_libraries(),
        scores=evaluation["evidence"],
        files=files,
        settings=origin.settings,
        member_key=key.fingerprint,
    )


def _counts(data: Dataset, publication: Publication, evaluation: dict[str, Any]) -> dict[str, int]:
    """Return how many members there are, how many of them are published, and how much was trained on."""
    reweighted = evaluation["reweighted"]
    effective = {"effective_raters": round(reweighted["effective_raters"])} if reweighted else {}
    return (
        effective
        | publication.counts
        | {
            "raters": len(data.raters),
            "movies": len(data.movie_ids),
            "ratings": int(data.play_table.ratings.sum()),
            "plays": int(data.play_table.plays.sum()),
        }
    )


def _libraries() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def _catalogue(data: Dataset, core: Core) -> Catalogue:
    rated = np.isfinite(core.pairs.movies.numbers[:, MOVIE_NUMBERS.index("quality")])
    return Catalogue(
        data.movie_ids.to_list(),
        rated,
        data.release_year,
        data.genres,
        data.movie_attributes,
        data.titles.fill_null("").to_list(),
    )
