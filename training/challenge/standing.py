"""Enters a newly trained version in a challenge, and shows the leaderboard in the report of the training run."""

from dataclasses import dataclass
from pathlib import Path

from model.prediction.model import Model
from training.challenge import leaderboard
from training.challenge.answer import answers_of
from training.challenge.score import ALL, Key, check_answers, read_key, read_questions, score
from training.data.reading.tables import Tables
from training.report.section import Section

NAME = "coldstart"
"""Name under which versions are entered."""


@dataclass(frozen=True)
class Standing:
    """A challenge in which newly trained versions can take part."""

    folder: Path
    """Folder of the challenge."""
    key: Key
    """True ratings of the challenge."""

    @staticmethod
    def of(folder: Path) -> "Standing":
        """Read the challenge in a folder, so that versions can take part. Raises DataError if it isn't complete."""
        return Standing(folder, read_key(folder))

    def take_part(self, model: Model, tables: Tables, fingerprint: str, now: str) -> Section:
        """Enter a model in the quiz if it was trained on the challenge's public data; return a report section on it.

        `fingerprint` is the fingerprint of the model's training data, `tables` are these data, and `now` is the time in
        ISO 8601. The section contains the leaderboard.
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
