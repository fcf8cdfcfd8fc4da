"""Where a version stands in a challenge, for the report of a retrain."""

from dataclasses import dataclass
from pathlib import Path

from model.prediction.model import Model
from training.challenge import leaderboard
from training.challenge.answer import answers_of
from training.challenge.score import Key, read_answers_of, read_key, read_questions, score
from training.data.reading.tables import Tables
from training.report.html import section, table

NAME = "coldstart"
"""What our own answers are entered as."""


@dataclass(frozen=True)
class Standing:
    """A challenge, opened before any work so that a wrong folder is told at once."""

    folder: Path
    """The challenge's folder."""
    key: Key
    """Its answers."""

    @staticmethod
    def of(folder: Path) -> "Standing":
        """The challenge in a folder; raises DataError where it is none."""
        return Standing(folder, read_key(folder))

    def take_part(self, model: Model, tables: Tables, fingerprint: str, now: str) -> str:
        """Answer the quiz and enter it if the version learned from the public part; says what was done."""
        if fingerprint != self.key.about["fingerprint"]:
            return (
                "This version doesn't take part: it learned from other data than the public part of the challenge, "
                "where it may have seen the answers."
            )
        answers = answers_of(model, tables, read_questions(self.folder))
        quiz = score(self.key, read_answers_of(answers, NAME, self.key), "quiz")
        leaderboard.enter(self.folder, leaderboard.entry_of(NAME, now, quiz, None))
        found = quiz["all"]
        return (
            f"This version has an RMSE of {found['rmse']:.4f} on the quiz, {found['improvement_percent']:+.2f} % over "
            "the movie mean."
        )

    def markdown(self, told: str) -> str:
        """A section of the report."""
        return f"## The challenge\n\n{told}\n\n{leaderboard.table(leaderboard.read(self.folder))}\n"

    def html(self, told: str) -> str:
        """A section of the page."""
        titles, rows = leaderboard.cells(leaderboard.read(self.folder))
        shown = table(titles[1], [titles[0], *titles[2:]], {row[1]: [row[0], *row[2:]] for row in rows})
        return section("The challenge", told, shown, wide=True)
