"""Who stands where in a challenge: one JSON file that is replaced as a whole, and a table made from it."""

import fcntl
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.errors import DataError, Problem

BOARD, TABLE, LOCK = "leaderboard.json", "leaderboard.md", ".leaderboard.lock"
LONGEST_NAME = 40
MARKUP = set("\\|`*_[]<>#!&~")

Entry = dict[str, Any]


def clean(name: str) -> str:
    """A name as it can stand in a table: printable, on one line, without markup; raises DataError for nothing."""
    plain = "".join(
        " " if one.isspace() else one
        for one in unicodedata.normalize("NFKC", name)
        if one.isspace() or (one.isprintable() and one not in MARKUP)
    )
    short = " ".join(plain.split())[:LONGEST_NAME].strip()
    if not short:
        raise DataError([Problem("--name", "has nothing in it that can stand in a table")])
    return short


def enter(folder: Path, entry: Entry) -> list[Entry]:
    """Add an entry, one process at a time; returns all. Whoever reads finds the old or the new whole."""
    with _locked(folder):
        entries = [*read(folder), entry]
        _replace(folder / BOARD, json.dumps(entries, indent=1, sort_keys=True) + "\n")
        _replace(folder / TABLE, f"# Leaderboard\n\n{table(entries)}\n")
    return entries


def read(folder: Path) -> list[Entry]:
    """All entries, the oldest first; raises DataError where they can't be read."""
    try:
        entries = json.loads((folder / BOARD).read_text(encoding="utf-8"))
        return [{"name": str(one["name"]), **one} for one in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"can't be read ({type(error).__name__}): mend it, or remove it to begin a new one"
        raise DataError([Problem(BOARD, text)]) from error


def standing(entries: Sequence[Entry]) -> list[Entry]:
    """The best entry of each team by the quiz, the best team first, with how often it tried."""
    best: dict[str, Entry] = {}
    for one in entries:
        tries = best.get(one["name"], {}).get("tries", 0) + 1
        better = one["name"] not in best or one["quiz_rmse"] < best[one["name"]]["quiz_rmse"]
        kept = one if better else best[one["name"]]
        tests = [other for other in (one, best.get(one["name"], {})) if "test_rmse" in other]
        told = {key: tests[0][key] for key in ("test_rmse", "test_improvement_percent")} if tests else {}
        best[one["name"]] = {**kept, **told, "tries": tries}
    return sorted(best.values(), key=lambda one: (one["quiz_rmse"], one["name"]))


def cells(entries: Sequence[Entry]) -> tuple[Sequence[str], list[list[str]]]:
    """Titles and rows of the table."""
    rows = []
    for place, one in enumerate(standing(entries), 1):
        test = (
            [f"{one['test_rmse']:.4f}", f"{one['test_improvement_percent']:+.2f} %"] if "test_rmse" in one else ["", ""]
        )
        quiz = [f"{one['quiz_rmse']:.4f}", f"{one['quiz_improvement_percent']:+.2f} %"]
        rows.append([str(place), one["name"], *quiz, *test, str(one["tries"])])
    return ("place", "name", "quiz RMSE", "over movie mean", "test RMSE", "over movie mean", "tries"), rows


def table(entries: Sequence[Entry]) -> str:
    """The standing as a Markdown table."""
    titles, rows = cells(entries)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def entry_of(
    name: str, at: str, quiz: Mapping[str, Mapping[str, float]], test: Mapping[str, Mapping[str, float]] | None
) -> Entry:
    """What is kept of one scoring."""
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


def _replace(path: Path, content: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)
