"""The leaderboard of a challenge: a JSON file of all entries, and a Markdown table of each participant's best one."""

import fcntl
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model.files.atomic_write import write_atomically
from training.errors import DataError, Problem
from training.report.markdown import table_markdown
from training.report.section import Table

BOARD, TABLE, LOCK = "leaderboard.json", "leaderboard.md", ".leaderboard.lock"
LONGEST_NAME = 40
MARKUP = set("\\|`*_[]<>#!&~")
TEST_SCORES = ("test_rmse", "test_improvement_percent")

Entry = dict[str, Any]


def clean(name: str) -> str:
    """Return a participant's name on one line, without markup, of at most LONGEST_NAME characters.

    Unprintable characters are left out too. Raises DataError if no characters are left.
    """
    plain = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFKC", name)
        if character.isspace() or (character.isprintable() and character not in MARKUP)
    )
    short = " ".join(plain.split())[:LONGEST_NAME].strip()
    if not short:
        raise DataError([Problem("--name", "has nothing in it that can stand in a table")])
    return short


def enter(folder: Path, entry: Entry) -> list[Entry]:
    """Add an entry (a participant's scores) to the leaderboard in a challenge's folder, and return all entries.

    Concurrent calls wait for each other, and files are replaced atomically. Raises DataError if the leaderboard can't
    be read.
    """
    with _locked(folder):
        entries = [*read(folder), entry]
        write_atomically(folder / BOARD, (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())
        write_atomically(folder / TABLE, f"# Leaderboard\n\n{table_markdown(board(entries))}\n".encode())
    return entries


def read(folder: Path) -> list[Entry]:
    """Return all entries of a leaderboard (participants' scores), oldest first; an empty list if there is none yet.

    Raises DataError if the file can't be read.
    """
    try:
        entries = json.loads((folder / BOARD).read_text(encoding="utf-8"))
        return [{"name": str(entry["name"]), **entry} for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"can't be read ({type(error).__name__}): mend it, or remove it to begin a new one"
        raise DataError([Problem(BOARD, text)]) from error


def standing(entries: Sequence[Entry]) -> list[Entry]:
    """Return each participant's entry with the lowest quiz error, sorted by that error.

    The latest test scores of the name are added to the entry, and the number of the name's entries as `tries`.
    """
    best: dict[str, Entry] = {}
    for entry in entries:
        before = best.get(entry["name"])
        kept = entry if before is None or entry["quiz_rmse"] < before["quiz_rmse"] else before
        tested = next((scored for scored in (entry, before or {}) if TEST_SCORES[0] in scored), {})
        test = {key: tested[key] for key in TEST_SCORES if tested}
        best[entry["name"]] = {**kept, **test, "tries": (before or {}).get("tries", 0) + 1}
    return sorted(best.values(), key=lambda entry: (entry["quiz_rmse"], entry["name"]))


def board(entries: Sequence[Entry]) -> Table:
    """Return the leaderboard as a table for a report: the best entry of each participant, best first."""
    rows = []
    for place, entry in enumerate(standing(entries), 1):
        quiz = [f"{entry['quiz_rmse']:.4f}", f"{entry['quiz_improvement_percent']:+.2f} %"]
        test = ["", ""]
        if TEST_SCORES[0] in entry:
            test = [f"{entry['test_rmse']:.4f}", f"{entry['test_improvement_percent']:+.2f} %"]
        rows.append([str(place), entry["name"], *quiz, *test, str(entry["tries"])])
    return Table(("place", "name", "quiz RMSE", "over movie mean", "test RMSE", "over movie mean", "tries"), rows)


def entry_of(
    name: str, at: str, quiz: Mapping[str, Mapping[str, float]], test: Mapping[str, Mapping[str, float]] | None
) -> Entry:
    """Return a leaderboard entry for `name`, made from the scores of the answers on the quiz and the test.

    `at` is the time of the entry in ISO 8601. `test` is None if the test isn't scored.
    """
    entry: Entry = {"name": clean(name), "at": at}
    for part, scores in (("quiz", quiz), ("test", test)):
        if scores is not None:
            entry |= {f"{part}_{key}": scores["all"][key] for key in ("rmse", "improvement_percent")}
    return entry


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
