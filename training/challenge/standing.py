"""A version's standing in a challenge, for the report of a retrain."""

from dataclasses import dataclass
from pathlib import Path

from model.prediction.model import Model
from training.challenge import leaderboard
from training.challenge.answer import answers_of
from training.challenge.score import ALL, Key, check_answers, read_key, read_questions, score
from training.data.reading.tables import Tables
from training.report.section import Section

NAME = "coldstart"
"""The name that versions are entered under."""


@dataclass(frozen=True)
class Standing:
    """A challenge that versions may take part in."""

    folder: Path
    """The challenge's folder."""
    key: Key
    """The true ratings."""

    @staticmethod
    def of(folder: Path) -> "Standing":
        """The challenge in a folder; raises DataError where it is none."""
        return Standing(folder, read_key(folder))

    def take_part(self, model: Model, tables: Tables, fingerprint: str, now: str) -> Section:
        """Enter the model's score of the quiz, if it was trained on the public part; returns the leaderboard.

        `fingerprint` is that of `tables`, which the model was trained on; `now` is an ISO 8601 time.
        """
        outcome = self._enter(model, tables, now) if fingerprint == self.key.about["fingerprint"] else (
            "This version doesn't take part: it learned from other data than the public part of the challenge, "
            "where it may have seen the answers."
        )  # fmt: skip
        return Section("The challenge", outcome, [leaderboard.board(leaderboard.read(self.folder))])

    def _enter(self, model: Model, tables: Tables, now: str) -> str:
        answers = answers_of(model, tables, read_questions(self.folder))
        quiz = score(self.key, check_answers(answers, NAME, self.key), "quiz")
        leaderboard.enter(self.folder, leaderboard.entry_of(NAME, now, quiz, None))
        scores = quiz[ALL]
        return (
            f"This version has an RMSE of {scores['rmse']:.4f} on the quiz, {scores['improvement_percent']:+.2f} % "
            "over the movie mean."
        )
