"""Says at the head of a report of which version, data and day it is, and at its end where to look further."""

from collections.abc import Mapping
from typing import Any

from model.files.manifest import Manifest, Run
from training.report.section import Section, Table

FINGERPRINT_DIGITS = 12
"""Digits of the fingerprint of the data that are shown."""


def about_data(counts: Mapping[str, Any], fingerprint: str, seed: int) -> list[str]:
    """Return what an evaluation rests on: numbers of rows, fingerprint of the data and seed."""
    rows = f"{counts['ratings']:,} ratings of {counts['movies']:,} movies by {counts['raters']:,} raters"
    return [rows, f"data {fingerprint[:FINGERPRINT_DIGITS]}", f"seed {seed}"]


def about_version(version: str, manifest: Manifest, run: Run, note: str) -> list[str]:
    """Return which version a report is of, when it was trained, and on what; and the note that it was given."""
    trained = f"trained {run.trained_at[:16].replace('T', ' ')} UTC"
    about = about_data(manifest.data, manifest.data_fingerprint, manifest.seed)
    return [f"version {version}", trained, *about, *([note] if note else [])]


def further(version: str | None, compared_with: str | None) -> Section:
    """Return the last section: the commands that tell more about a version; None if it isn't known yet."""
    name = version or "VERSION"
    commands = {
        f"coldstart models show {name} --models MODELS": "provenance, records and all tables of this report",
        f"coldstart models diff {compared_with or 'OTHER'} {name} --models MODELS": "the changes since another version",
        f"coldstart models export {name} --models MODELS --out export": "movies and their factors as Parquet tables",
        "coldstart predict --data DATA --models MODELS --out top.csv --top 10": "the best movies for each never-rater",
        f"coldstart models promote {name} --models MODELS": "let it serve",
    }
    table = Table(("command", "what it shows or does"), list(commands.items()), of_text=True)
    return Section("Look further", "Numbers for programs are in report.json of the version's folder.", [table])
