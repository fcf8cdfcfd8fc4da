"""Records outcomes: checks them, keeps them, and compares ratings with what was predicted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from features.schema import Scale
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts
from model.facts.member_record import MemberRecord
from model.facts.outcome_record import Outcome
from model.prediction.predictions import Predictions
from model.store.store import CURRENT
from service.errors import NotKept, OutcomesOff, Overloaded
from service.models.live_models import LiveModels
from service.models.loading import Served
from service.requests.limits import ID_LENGTH
from service.requests.violations import Violations
from service.stores.outcome_log import OutcomeLog
from service.telemetry.metrics.outcome_metrics import RatedPrediction
from service.telemetry.metrics.service_metrics import Metrics

NEEDED_OF_SHOWN = ("rating", "lower", "upper")


class FindsMembers(Protocol):
    """Something beside the model that knows members."""

    async def find(self, member_id: str) -> MemberRecord | None:
        """What it knows of the member."""


@dataclass(frozen=True)
class Shown:
    """The prediction that a rating is compared with; in rating points."""

    rating: float
    lower: float
    upper: float
    probability: float
    evidence: MemberEvidence
    version: str
    """One of `outcome_metrics.VERSIONS`."""


class Outcomes:
    """What RecordOutcome does."""

    def __init__(
        self,
        live: LiveModels,
        members: FindsMembers | None,
        log: OutcomeLog | None,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        """Without a log nothing is kept; `now` tells the seconds since 1970 UTC."""
        self._live = live
        self._members = members
        self._log = log
        self._metrics = metrics.outcomes
        self._now = now

    async def record(self, request: pb.RecordOutcomeRequest) -> pb.RecordOutcomeResponse:
        """Keep an outcome and answer once it is on disk.

        Raises OutcomesOff, NoModel, InvalidRequest, Overloaded and NotKept.
        """
        served = self._live.served()
        outcome = _decoded(request, served.model.schema.scale, self._now())
        if self._log is None:
            raise OutcomesOff
        try:
            duplicate = await self._log.append(outcome)
        except (NotKept, Overloaded) as error:
            self._metrics.ended("failed" if isinstance(error, NotKept) else "refused")
            raise
        self._metrics.ended("duplicate" if duplicate else "recorded")
        if not duplicate and outcome.rating is not None:
            await self._judge(outcome, outcome.rating, request, served)
        return pb.RecordOutcomeResponse(duplicate=duplicate)

    async def _judge(self, outcome: Outcome, rating: float, request: pb.RecordOutcomeRequest, served: Served) -> None:
        model = served.model
        recorded = await self._members.find(outcome.member_id) if self._members else None
        asked = served.decode.prediction(
            pb.PredictEnjoymentRequest(member=pb.Member(member_id=outcome.member_id), movie_ids=[outcome.movie_id]),
            recorded,
        )
        shown = self._shown(request.shown) if request.HasField("shown") else None
        if shown is None:
            shown = _predicted(model.predict(asked.member, asked.movies))
        nobody = model.predict(MemberFacts.nothing(model.schema), asked.movies)
        self._metrics.add_rating(
            RatedPrediction(
                shown.version, shown.evidence, shown.rating - rating, float(nobody.rating[0]) - rating,
                shown.lower <= rating <= shown.upper, shown.probability, rating >= model.schema.scale.enjoyed_from,
            )
        )  # fmt: skip

    def _shown(self, told: pb.ShownPrediction) -> Shown:
        one = told.prediction
        version = self._live.label_of(told.model_version) or "other"
        evidence = MemberEvidence(told.member_evidence)
        return Shown(one.rating, one.lower, one.upper, one.probability_enjoyed, evidence, version)


def _predicted(one: Predictions) -> Shown:
    return Shown(
        float(one.rating[0]), float(one.lower[0]), float(one.upper[0]), float(one.probability_enjoyed[0]),
        one.member_evidence, CURRENT,
    )  # fmt: skip


def _decoded(request: pb.RecordOutcomeRequest, scale: Scale, now: float) -> Outcome:
    """The outcome; raises InvalidRequest with the path of every malformed field."""
    found = Violations()
    for name in ("request_id", "member_id", "movie_id"):
        found.check_id(getattr(request, name), name)
    rating = request.rating if request.HasField("rating") else None
    completion = request.completion if request.HasField("completion") else None
    if rating is None and completion is None:
        found.add("rating", "or completion must be given")
    if rating is not None:
        _check_rating(rating, "rating", scale, found)
    if completion is not None:
        found.check_share(completion, "completion")
    happened_at = now
    if request.HasField("happened_at"):
        found.check_time(request.happened_at, "happened_at")
        happened_at = request.happened_at.seconds + request.happened_at.nanos / 1e9
    if request.HasField("shown"):
        _check_shown(request.shown, scale, found)
    found.raise_if_any()
    return Outcome(request.request_id, request.member_id, request.movie_id, rating, completion, happened_at, now)


def _check_shown(shown: pb.ShownPrediction, scale: Scale, found: Violations) -> None:
    for name in NEEDED_OF_SHOWN:
        _check_rating(getattr(shown.prediction, name), f"shown.prediction.{name}", scale, found)
    found.check_share(shown.prediction.probability_enjoyed, "shown.prediction.probability_enjoyed")
    if int(shown.member_evidence) not in tuple(map(int, MemberEvidence)):
        found.add("shown.member_evidence", "must be that of the answer with the prediction")
    if len(shown.model_version) > ID_LENGTH:
        found.add("shown.model_version", f"must have at most {ID_LENGTH} characters")


def _check_rating(given: float, path: str, scale: Scale, found: Violations) -> None:
    if not scale.low <= given <= scale.high:
        found.add(path, f"must be within the scale, {scale.low:g} to {scale.high:g}")
