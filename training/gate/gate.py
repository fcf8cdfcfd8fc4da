"""The gate: decides whether a new version may be served, based on raters that no version was trained on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from model.artifact.artifact import load_model
from model.errors import DamagedPiece
from model.facts.evidence import MemberEvidence
from model.facts.member_key import PLAIN, MemberKey
from model.prediction.model import Model
from model.store.store import Store
from training.errors import DataError, NothingPublished, ServingModelError
from training.evaluation.movie_means import RatedMovies, rated_movies
from training.gate.cost import MEMBERS, megabytes, milliseconds, size_ratio
from training.gate.count_changes import Known, id_changes, known_changes, known_values, row_changes
from training.gate.gate_checks import Check, absolute, compared, cost, gain_kept, unreadable
from training.gate.gate_scores import differences, scores
from training.gate.gate_settings import GateSettings
from training.gate.kept_out import Split, key_digest, rows_of
from training.gate.questions import Answers, Questions, answer, make_questions
from training.gate.schema_changes import Change, schema_changes
from training.versions.serving import load_serving

RECORD = "gate.json"
"""Name of the record with the decision on a version."""
KEPT_OUT, OUT_OF_FOLD = "raters that no version was trained on", "raters held out in training"
"""Values of `judged_on` in a record: the raters whose ratings are used for the absolute limits."""


@dataclass(frozen=True)
class Gate:
    """Decides whether versions in a store may be served."""

    store: Store
    """Store of the new version and the current version."""
    split: Split
    """Tables, split into training data and the raters kept out of training."""
    key: str
    """Key of the hash that chooses the kept-out raters."""
    settings: GateSettings
    """Limits of the checks."""
    clock: Callable[[], float]
    """Clock in seconds, to time requests."""
    seed: int
    """Seed of the bootstrap."""
    member_key: MemberKey = PLAIN
    """Key of the hashes of published ids."""

    def kept_out(self) -> dict[str, Any]:
        """Return counts and share of the kept-out raters, and the digest of the key, for a version's report."""
        share = self.settings.share if len(self.split.members) else 0.0
        table = self.split.kept_out.play_table
        counts = {
            "members": len(self.split.members),
            "ratings": int(table.ratings.sum()),
            "plays": int(table.plays.sum()),
        }
        return counts | {"share": share, "key": key_digest(self.key)}

    @cached_property
    def known(self) -> Known:
        """The number of known values by table and column of the data, for a version's report."""
        return known_values(self.split)

    def decide(self, version: str, evaluation: Mapping[str, Any]) -> dict[str, Any]:
        """Check a version and return a record of the decision for JSON, with all checks and the numbers behind them.

        `evaluation` is the version's out-of-fold evaluation, to which the absolute limits are applied if too few raters
        are kept out.
        """
        started = self.clock()
        candidate = load_model(self.store.fetch(version), key=None)
        current, obstacle, checks = self._current(version)
        share, obstacle = self._common_share(current, obstacle)
        questions = make_questions(self.split, candidate, self.key, share, self.settings.most_members)
        enough = questions.members >= self.settings.fewest_members
        if current is not None and not enough and obstacle is None:
            fewest = self.settings.fewest_members
            obstacle = f"only {questions.members} raters are kept out for the comparison, fewer than {fewest}"
        record: dict[str, Any] = {
            "version": version,
            "compared_with": None if current is None else current.version,
            "not_compared_because": obstacle,
            "judged_on": KEPT_OUT if enough else OUT_OF_FOLD,
            "kept_out": self.kept_out(),
            "cost": self._cost(candidate, current),
            "settings": self.settings.model_dump() | {"key": key_digest(self.key)},
        }
        if current is not None:
            checks += self._data_checks(record, candidate, current)
        checks += self._checks(record, candidate, current, questions if enough else None, evaluation["evidence"])
        record["checks"] = [check.to_dict() for check in checks]
        record["passed"] = all(check.passed for check in checks)
        record["seconds"] = round(self.clock() - started, 3)
        return record

    def _data_checks(self, record: dict[str, Any], candidate: Model, current: Model) -> list[Check]:
        """Check the changes of the data since the current version, and enter them in the record."""
        least = self.settings.least_data_kept
        before = _report_of(self.store, current.version)
        kept_out = record["kept_out"], before.get("kept_out", {})
        member_ids = pl.concat([self.split.training.member_ids, self.split.kept_out.member_ids])
        try:
            changes: list[Change] = [
                *row_changes(candidate, current, kept_out, least),
                *id_changes(candidate, current, member_ids, self.member_key, self.settings.least_ids_kept),
                *schema_changes(candidate.schema, self.split.training, current, least),
                *known_changes(self.known, before.get("known", {}), candidate, current, least),
            ]
        except DamagedPiece as error:
            return [unreadable(error)]
        record["data"] = [change.to_dict() for change in changes]
        return [change.check() for change in changes]

    def _checks(
        self,
        record: dict[str, Any],
        candidate: Model,
        current: Model | None,
        questions: Questions | None,
        out_of_fold: Mapping[str, Mapping[str, float]],
    ) -> list[Check]:
        """Make all checks, and enter the scores on kept-out raters in the record if `questions` is given."""
        comparison: list[Check] = []
        if questions is None:
            checks = list(absolute(out_of_fold, self.settings))
        else:
            answers = answer(candidate, questions)
            record["candidate"] = self._scores(questions, answers, candidate)
            checks = list(absolute(record["candidate"], self.settings))
            if current is not None and record["not_compared_because"] is None:
                comparison = self._compare(record, questions, answers, current)
        kept = [] if current is None else gain_kept(out_of_fold, current.manifest.scores, self.settings)
        return [*checks, *comparison, *kept, *cost(record["cost"], self.settings)]

    def _compare(
        self, record: dict[str, Any], questions: Questions, answers: Mapping[MemberEvidence, Answers], current: Model
    ) -> list[Check]:
        """Compare with the current version, and enter its scores and the differences in the record."""
        try:
            current_answers = answer(current, questions)
        except DataError:
            record["not_compared_because"] = "attributes differ in kind from those of the current version"
            return []
        record["current"] = self._scores(questions, current_answers, current)
        random = np.random.default_rng([self.seed, 21])
        record["differences"] = differences(questions, answers, current_answers, random)
        return list(compared(record["current"], record["differences"], self.settings))

    @cached_property
    def _rated_movies(self) -> RatedMovies:
        """Ratings of the movies in the training data, to compare predictions with."""
        training = self.split.training
        return rated_movies(training.play_table, len(training.movies))

    def _scores(
        self, questions: Questions, answers: Mapping[MemberEvidence, Answers], model: Model
    ) -> dict[str, dict[str, float]]:
        random = np.random.default_rng([self.seed, 20])
        return scores(questions, answers, self._rated_movies, model.schema.scale, random)

    def _current(self, version: str) -> tuple[Model | None, str | None, list[Check]]:
        """Return the current version or None, the reason if there is nothing to compare with, and a check that fails.

        There is a check only if the current version can't be read.
        """
        try:
            current = load_serving(self.store)
        except NothingPublished:
            return None, "there is no current version yet", []
        except ServingModelError as error:
            return None, f"the current version can't be loaded: {error}", [unreadable(error)]
        if current.version == version:
            return None, "this is already the current version", []
        return current, None, []

    def _common_share(self, current: Model | None, obstacle: str | None) -> tuple[float, str | None]:
        """Return the share of raters that neither version was trained on, and the reason if they can't be compared."""
        share, scale = self.settings.share, self.split.training.scale
        if current is None:
            return share, obstacle
        if (current.schema.scale.low, current.schema.scale.high) != (scale.low, scale.high):
            return share, "the current version predicts on another rating scale"
        before = _report_of(self.store, current.version).get("kept_out", {})
        if not before.get("share") or before.get("key") != key_digest(self.key):
            return share, "the current version was trained on the raters that are now kept out"
        return min(share, float(before["share"])), None

    def _cost(self, candidate: Model, current: Model | None) -> dict[str, float]:
        """Measure time and size, and their ratios to the current version's if it exists and accepts the requests."""
        models = [candidate] if current is None else [candidate, current]
        few = rows_of(self.split.kept_out, self.split.members.head(MEMBERS))
        try:
            times = milliseconds(models, few, self.clock)
        except DataError:  # attributes of the current version differ in kind
            times = milliseconds(models[:1], few, self.clock)
        costs = {"milliseconds": times[0], "megabytes": megabytes(candidate)}
        if len(times) > 1:
            costs["latency_ratio"] = times[0] / times[1]
        if current is not None:
            costs["size_ratio"] = size_ratio(candidate, current)
        return costs


def _report_of(store: Store, version: str) -> dict[str, Any]:
    """Return the parts of a version's report that are objects; none if it is missing or can't be read."""
    try:
        report = json.loads((store.fetch(version) / "report.json").read_text(encoding="utf-8"))
        return {name: part for name, part in report.items() if isinstance(part, dict)}
    except (OSError, ValueError, AttributeError):
        return {}
