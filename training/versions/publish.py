"""Publishes a fitted model in the store as a new version."""

import importlib.metadata
import platform
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from features.columns import COMPLETION
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS
from model.artifact.artifact import Parts, load_model, write_files, write_manifest
from model.artifact.serialization import Core, to_json
from model.facts.catalogue import Catalogue
from model.facts.member_table import MemberTable, key_of
from model.files.manifest import FORMAT, Manifest
from model.files.plain_files import RUN
from model.store.store import Store
from training.data.dataset import Dataset
from training.report.about import about_data, further
from training.report.model_card import model_card
from training.report.page import report_files

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
    everyone: Dataset,
    core: Core,
    origin: Origin,
    evaluation: dict[str, Any],
    notes: list[str],
    run: dict[str, Any],
) -> str:
    """Write a fitted model as a version, check that it can be loaded, publish it without a label, and return its name.

    If a step fails, nothing is left in the store. `data` is the training data, `everyone` contains the members to
    publish, encoded with the same schema, and `run` is written to run.json.
    """
    with store.workspace() as beside:
        folder = beside / "model"
        parts = Parts(data.schema, _catalogue(data), _members(everyone), core)
        counts = _counts(data, everyone, evaluation)
        card = model_card(data.schema, counts, evaluation, notes, _libraries())
        about = about_data(counts, origin.fingerprint, origin.seed)
        reports = report_files(evaluation, notes, (), about, [further(None, None)]) | {"MODEL_CARD.md": card.encode()}
        files = write_files(folder, parts, reports)
        version = write_manifest(folder, _manifest(counts, origin, evaluation, files))
        (folder / RUN).write_bytes(to_json(run))
        finished = folder.rename(folder.with_name(version))
        load_model(finished)
        store.publish(finished, version)
    return version


def _manifest(
    counts: dict[str, int], origin: Origin, evaluation: dict[str, Any], files: dict[str, dict[str, Any]]
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
    )


def _counts(data: Dataset, everyone: Dataset, evaluation: dict[str, Any]) -> dict[str, int]:
    """Return how many members are published, and how many raters, movies, ratings and plays were trained on."""
    reweighted = evaluation["reweighted"]
    effective = {"effective_raters": round(reweighted["effective_raters"])} if reweighted else {}
    return effective | {
        "members": len(everyone.member_ids),
        "raters": len(data.raters),
        "movies": len(data.movie_ids),
        "ratings": len(data.ratings),
        "plays": len(data.plays),
    }


def _libraries() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def _catalogue(data: Dataset) -> Catalogue:
    rated = np.zeros(len(data.movie_ids), bool)
    rated[data.ratings[MOVIE].to_numpy()] = True
    return Catalogue(
        data.movie_ids.to_list(),
        rated,
        data.release_year,
        data.genres,
        data.movie_attributes,
        data.titles.fill_null("").to_list(),
    )


def _members(data: Dataset) -> MemberTable:
    """Return the attributes and plays of all members to publish, as a table by hashed id."""
    count = len(data.member_ids)
    keys = np.array([key_of(member_id) for member_id in data.member_ids], np.uint64).reshape(count, 2)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    plays = data.plays.with_columns(pl.Series("rank", rank[data.plays[MEMBER].to_numpy()])).sort("rank", MOVIE)
    starts = np.zeros(count + 1, np.int64)
    starts[1:] = np.cumsum(np.bincount(plays["rank"].to_numpy(), minlength=count))
    unknown = float("nan")
    return MemberTable(
        keys[order],
        data.attributes[order],
        starts,
        plays[MOVIE].to_numpy().astype(np.int32),
        plays[COMPLETION].fill_null(unknown).to_numpy().astype(np.float32),
        plays[AGE_DAYS].fill_null(unknown).to_numpy().astype(np.float32),
    )
