"""RecordOutcome: checks reported ratings and completions, writes them to disk, compares ratings with predictions."""

from collections.abc import Callable
from dataclasses import dataclass

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from features.schema import Scale
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts
from model.facts.live_ratings import LiveRating
from model.facts.outcome_record import Outcome
from model.prediction.predictions import Predictions
from model.store.store import CURRENT
from service.errors import NotKept, OutcomesOff, Overloaded
from service.models.live_models import LiveModels
from service.models.loading import Served
from service.requests.limits import ID_LENGTH
from service.requests.violations import Violations
from service.rpc.security.tokens import current_caller
from service.stores.member_source import MemberSource
from service.stores.outcome_log import OutcomeLog
from service.telemetry.metrics.outcome_metrics import RatedPrediction
from service.telemetry.metrics.service_metrics import Metrics

RATING_FIELDS = ("rating", "lower", "upper")
"""Fields of the reported prediction whose values must be within the rating scale."""


@dataclass(frozen=True)
class ReferencePrediction:
    """The prediction that a reported rating is compared with, to measure live quality.

    Its rating and interval are in rating points.
    """

    rating: float
    lower: float
    upper: float
    probability: float
    evidence: MemberEvidence
    version: str
    """Which version predicted: one of `outcome_metrics.VERSIONS`, such as `current`."""


class Outcomes:
    """Records outcomes (ratings and completions that callers report) and compares the ratings with predictions."""

    def __init__(
        self,
        live: LiveModels,
        members: MemberSource | None,
        log: OutcomeLog | None,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        """Set up the recording of outcomes and the comparison of ratings with predictions."""
        self._live = live
        self._members = members
        self._log = log
        self._metrics = metrics.outcomes
        self._now = now

    async def record(self, request: pb.RecordOutcomeRequest) -> pb.RecordOutcomeResponse:
        """Write an outcome (a reported rating or completion) to disk.

        The response says whether one with this request id was already recorded, and whether its rating counts from the
        next answer on. Raises NoModel if no model is loaded,
        InvalidRequest if a field is malformed, OutcomesOff if there is no log, Overloaded if too many outcomes are
        waiting, and NotKept if the outcome can't be written.
        """
        served = self._live.served()
        outcome = _decoded(request, served.model.schema.scale, self._now())
        if self._log is None:
            raise OutcomesOff
        try:
            duplicate = await self._log.append(
                outcome
            )  # first, since the log is the truth that the store is filled from
        except (NotKept, Overloaded) as error:
            self._metrics.ended("failed" if isinstance(error, NotKept) else "refused")
            raise
        self._metrics.ended("duplicate" if duplicate else "recorded")
        counts_already = await self._keep(outcome, only_if_absent=duplicate and not request.HasField("happened_at"))
        if not duplicate and outcome.rating is not None:
            await self._evaluate(outcome, outcome.rating, request, served)
        return pb.RecordOutcomeResponse(duplicate=duplicate, counts_already=counts_already)

    async def _keep(self, outcome: Outcome, *, only_if_absent: bool) -> bool:
        """Write a reported rating or withdrawal to the store of members, and return whether it counts already.

        A duplicate is written too, since the worker that recorded the outcome may have died before it came to that.
        Where its time is unknown, it must not replace what came between: `only_if_absent`.
        """
        rating = LiveRating.of(outcome)
        if self._members is None or rating is None:
            return False
        return await self._members.rate(outcome.member_id, rating, only_if_absent=only_if_absent)

    async def _evaluate(
        self, outcome: Outcome, rating: float, request: pb.RecordOutcomeRequest, served: Served
    ) -> None:
        """Compare a reported rating with the prediction that was shown, or with a new one if the request has none."""
        model = served.model
        record = await self._members.find(outcome.member_id) if self._members else None
        query = served.decode.prediction(
            pb.PredictEnjoymentRequest(member=pb.Member(member_id=outcome.member_id), movie_ids=[outcome.movie_id]),
            record,
        )
        if request.HasField("shown"):
            reference = self._shown(request.shown)
        else:
            reference = _predicted(model.predict(query.member, query.movies))
        nobody = model.predict(MemberFacts.nothing(model.schema), query.movies)
        self._metrics.add_rating(
            RatedPrediction(
                reference.version, reference.evidence, reference.rating - rating, float(nobody.rating[0]) - rating,
                reference.lower <= rating <= reference.upper, reference.probability,
                rating >= model.schema.scale.enjoyed_from,
            )
        )  # fmt: skip

    def _shown(self, shown: pb.ShownPrediction) -> ReferencePrediction:
        """Return the prediction that the caller says was shown, to compare the reported rating with."""
        prediction = shown.prediction
        version = self._live.label_of(shown.model_version) or "other"
        return ReferencePrediction(
            prediction.rating, prediction.lower, prediction.upper, prediction.probability_enjoyed,
            MemberEvidence(shown.member_evidence), version,
        )  # fmt: skip


def _predicted(predictions: Predictions) -> ReferencePrediction:
    """Return the first of the current model's predictions, to compare the reported rating with."""
    return ReferencePrediction(
        float(predictions.rating[0]), float(predictions.lower[0]), float(predictions.upper[0]),
        float(predictions.probability_enjoyed[0]), predictions.member_evidence, CURRENT,
    )  # fmt: skip


def _decoded(request: pb.RecordOutcomeRequest, scale: Scale, now: float) -> Outcome:
    """Decode a reported outcome. Raises InvalidRequest, with the paths of the malformed fields."""
    violations = Violations()
    for name in ("request_id", "member_id", "movie_id"):
        violations.check_id(getattr(request, name), name)
    rating = request.rating if request.HasField("rating") else None
    completion = request.completion if request.HasField("completion") else None
    if rating is None and completion is None and not request.rating_withdrawn:
        violations.add("rating", "or rating_withdrawn or completion must be given")
    if rating is not None and request.rating_withdrawn:
        violations.add("rating_withdrawn", "must not be given together with rating")
    if rating is not None:
        violations.check_rating(rating, "rating", scale)
    if completion is not None:
        violations.check_share(completion, "completion")
    happened_at = now
    if request.HasField("happened_at"):
        violations.check_time(request.happened_at, "happened_at")
        happened_at = request.happened_at.seconds + request.happened_at.nanos / 1e9
    if request.HasField("shown"):
        _check_shown(request.shown, scale, violations)
    violations.raise_if_any()
    return Outcome(
        request.request_id, request.member_id, request.movie_id, rating, completion, happened_at, now,
        current_caller(), request.rating_withdrawn,
    )  # fmt: skip


def _check_shown(shown: pb.ShownPrediction, scale: Scale, violations: Violations) -> None:
    for name in RATING_FIELDS:
        violations.check_rating(getattr(shown.prediction, name), f"shown.prediction.{name}", scale)
    violations.check_share(shown.prediction.probability_enjoyed, "shown.prediction.probability_enjoyed")
    if int(shown.member_evidence) not in tuple(map(int, MemberEvidence)):
        violations.add("shown.member_evidence", "must be that of the answer with the prediction")
    if len(shown.model_version) > ID_LENGTH:
        violations.add("shown.model_version", f"must have at most {ID_LENGTH} characters")
