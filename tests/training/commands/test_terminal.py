"""Progress is a line for each step: with the seconds on a terminal, with the time too in a log."""

import io
import re
import subprocess
import sys
from pathlib import Path

from training.commands.terminal import Progress

ROOT = Path(__file__).parents[3]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +\d+ s  \S.*")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(out: io.StringIO) -> str:
    """What is shown of a step that begins 12.3 seconds after the start."""
    progress = Progress(iter([100.0, 112.3]).__next__, lambda: 1796053201.9, out)
    progress("prior of all: factors")
    return out.getvalue()


def test_a_line_of_a_log_begins_with_the_time():
    assert shown(io.StringIO()) == "2026-11-30T15:40:01Z     12 s  prior of all: factors\n"


def test_a_line_on_a_terminal_begins_with_the_seconds():
    assert shown(Terminal()) == "    12 s  prior of all: factors\n"


def test_of_long_work_the_time_left_is_estimated_from_what_is_done():
    out = Terminal()
    progress = Progress(iter([0.0, 100.0, 250.0, 400.0]).__next__, lambda: 0.0, out)
    for share in (0.0, 0.25, 0.99):
        progress("prior of all: factors", share)
    assert [line.partition("factors")[2] for line in out.getvalue().splitlines()] == ["", "; about 8 min left", ""]


def test_a_retrain_logs_its_steps_in_a_few_dozen_lines(small, retrained, light, capsys):
    retrained(small.data, *light)
    lines = capsys.readouterr().err.splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert lines[0].endswith("reading and checking")
    assert lines[-1].endswith("the gate")
    assert len(lines) < 50


def test_a_log_that_cannot_be_written_does_not_end_the_work(tmp_path):
    arguments = ["sample", "--out", str(tmp_path / "data"), "--members", "40", "--movies", "20"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "training", *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=full, text=True, check=False,
        )  # fmt: skip
    assert (ended.returncode, "holds members" in ended.stdout) == (0, True)
