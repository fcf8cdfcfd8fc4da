"""The gate: whether a version that was trained may serve, judged on raters whom no version learned from."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from model.artifact.artifact import load_model
from model.errors import ArtifactError, StoreError
from model.facts.evidence import MemberEvidence
from model.prediction.model import Model
from model.store.store import Store
from training.errors import DataError
from training.gate.cost import MEMBERS, megabytes, milliseconds
from training.gate.gate_checks import Check, absolute, compared, cost, gain_kept
from training.gate.gate_scores import differences, scores
from training.gate.gate_settings import GateSettings
from training.gate.kept_out import Divided, mark_of, only
from training.gate.questions import Answers, Questions, answer, make_questions

RECORD = "gate.json"
KEPT_OUT, OUT_OF_FOLD = "raters whom no version learned from", "raters held out in training"
"""Whom a version is judged on."""


@dataclass(frozen=True)
class Gate:
    """What the gate judges with."""

    store: Store
    """Where the version that serves is."""
    divided: Divided
    """The tables, and who was kept out of training."""
    key: str
    """Which raters are kept out follows from it."""
    settings: GateSettings
    """The limits."""
    clock: Callable[[], float]
    """Seconds, for the time of a request."""
    seed: int
    """Of the bootstrap."""

    def kept_out(self) -> dict[str, Any]:
        """What a version tells of the raters that it hasn't learned from."""
        share = self.settings.share if len(self.divided.members) else 0.0
        return {"members": len(self.divided.members), "share": share, "key": mark_of(self.key)}

    def judge(self, version: str, evaluation: Mapping[str, Any]) -> dict[str, Any]:
        """Verdict, reasons and numbers, as JSON can hold them; `evaluation` is that of the version."""
        started = self.clock()
        candidate = load_model(self.store.fetch(version))
        current, why_not = self._current(version)
        share, why_not_on_raters = self._common_share(current, why_not)
        questions = make_questions(self.divided, candidate, self.key, share, self.settings.most_members)
        enough = questions.members >= self.settings.fewest_members
        if not enough and current is not None:
            why_not_on_raters = (
                why_not_on_raters
                or f"only {questions.members} raters are kept out to compare versions on, fewer than "
                f"{self.settings.fewest_members}"
            )
        found: dict[str, Any] = {
            "version": version,
            "compared_with": None if current is None else current.version,
            "not_compared_because": why_not_on_raters,
            "judged_on": KEPT_OUT if enough else OUT_OF_FOLD,
            "kept_out": self.kept_out(),
            "cost": self._cost(candidate, current),
            "settings": asdict(self.settings) | {"key": mark_of(self.key)},
        }
        checks: list[Check] = []
        if enough:
            answers = answer(candidate, questions)
            found["candidate"] = self._scores(questions, answers, candidate)
            checks += absolute(found["candidate"], self.settings)
            if current is not None and why_not_on_raters is None:
                checks += self._compare(questions, answers, current, found)
        else:
            checks += absolute(evaluation["evidence"], self.settings)
        if current is not None:
            checks += gain_kept(evaluation["evidence"], current.manifest.scores, self.settings)
        checks += cost(found["cost"], self.settings)
        found["checks"] = [asdict(one) for one in checks]
        found["passed"] = all(one.passed for one in checks)
        found["seconds"] = round(self.clock() - started, 3)
        return found

    def _compare(
        self, questions: Questions, answers: Mapping[MemberEvidence, Answers], current: Model, found: dict[str, Any]
    ) -> list[Check]:
        try:
            theirs = answer(current, questions)
        except DataError:
            found["not_compared_because"] = "attributes are of another kind than those of the version that serves"
            return []
        found["current"] = self._scores(questions, theirs, current)
        found["differences"] = differences(questions, answers, theirs, np.random.default_rng([self.seed, 21]))
        return list(compared(found["current"], found["differences"], self.settings))

    def _scores(
        self, questions: Questions, answers: Mapping[MemberEvidence, Answers], model: Model
    ) -> dict[str, dict[str, float]]:
        random = np.random.default_rng([self.seed, 20])
        return scores(questions, answers, self.divided.learned, model.schema.scale, random)

    def _current(self, version: str) -> tuple[Model | None, str | None]:
        """The version that serves, or why nothing is compared with it."""
        try:
            current = self.store.current()
            if current is None:
                return None, "no version serves yet"
            if current == version:
                return None, "it is this version that serves"
            return load_model(self.store.fetch(current)), None
        except (StoreError, ArtifactError) as error:
            return None, f"the version that serves can't be loaded: {error}"

    def _common_share(self, current: Model | None, why_not: str | None) -> tuple[float, str | None]:
        """The share of raters that neither version learned from, and why they aren't compared on them, if so."""
        own, scale = self.settings.share, self.divided.learned.scale
        if current is None:
            return own, why_not
        if (current.schema.scale.low, current.schema.scale.high) != (scale.low, scale.high):
            return own, "the version that serves predicts on another rating scale"
        told = _kept_out_of(self.store, current.version)
        if not told.get("share") or told.get("key") != mark_of(self.key):
            return own, "the version that serves learned from the raters that are kept out now"
        return min(own, float(told["share"])), None

    def _cost(self, candidate: Model, current: Model | None) -> dict[str, float]:
        models = [candidate] if current is None else [candidate, current]
        few = only(self.divided.kept_out, self.divided.members.head(MEMBERS))
        try:
            took = milliseconds(models, few, self.clock)
        except DataError:  # attributes of another kind
            took = milliseconds(models[:1], few, self.clock)
        found = {"milliseconds": took[0], "megabytes": megabytes(candidate)}
        if len(took) > 1:
            found["latency_ratio"] = took[0] / took[1]
        if current is not None:
            found["size_ratio"] = found["megabytes"] / megabytes(current)
        return found


def _kept_out_of(store: Store, version: str) -> dict[str, Any]:
    """What a version's report tells of the raters that it hasn't learned from; empty where it tells nothing."""
    try:
        report = json.loads((store.fetch(version) / "report.json").read_text(encoding="utf-8"))
        return dict(report["kept_out"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
