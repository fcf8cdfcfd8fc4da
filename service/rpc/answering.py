"""One answer in the making: by one model version from start to end, measured stage by stage."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.facts import MemberFacts
from model.facts.member_record import MemberRecord
from model.prediction.model import Model
from model.prediction.next_fact import next_fact
from model.prediction.predictions import Explanation, NextFact, Predictions
from service.models.live_models import LiveModels
from service.models.loading import Served
from service.requests.decode import PredictionQuery, RankingQuery
from service.requests.encode import prediction_responses
from service.requests.facts_decoder import UnusedFacts
from service.rpc.batching import Together, Told
from service.telemetry.call_sampling import record_answer
from service.telemetry.metrics.service_metrics import Metrics

INLINE_MOVIES = 200
INLINE_PLAYED = 2
"""More movies than this take milliseconds, in which all other calls would wait.

A movie that was played costs as much as many others: the member is worked out anew as if it had not been.
"""

T = TypeVar("T")
Request = pb.RankMoviesRequest | pb.ExplainEnjoymentRequest


@dataclass(frozen=True)
class Page:
    """A part of a ranking, best first."""

    movie_ids: list[str]
    predictions: Predictions
    next_offset: int | None
    """Where the next page begins; None after the last."""


class Answering:
    """Begins answers."""

    def __init__(self, live: LiveModels, metrics: Metrics, background: Executor, clock: Callable[[], float]) -> None:
        self._live = live
        self._metrics = metrics
        self._background = background
        self._clock = clock
        self._together = Together(metrics, live.shadow, clock)

    async def predict(self, request: pb.PredictEnjoymentRequest, recorded: MemberRecord | None) -> bytes:
        """The answer of PredictEnjoyment; raises NoModel before one is loaded."""
        served = self._live.served(request.member)
        asked = None
        if len(request.movie_ids) + len(request.new_movies) <= INLINE_MOVIES:
            found = await self._together.answer(served, request, recorded)
            if isinstance(found, Told):
                record_answer(served.model.version, found.evidence)
                return found.response
            asked = found
        with self._begin(served) as answer:
            if asked is None:
                asked = answer.decode.prediction(request, recorded)
            predicted = await answer.predict(asked)
            self._live.shadow.answered(request, recorded, served, predicted)
            return prediction_responses([asked.movie_ids], [predicted], [asked.unused], answer.model.version)[0]

    def begin(self, request: Request) -> "Answer":
        """An answer by the model that serves the member now, for a `with` block that ends when the response is made.

        Raises NoModel before one is loaded.
        """
        return self._begin(self._live.served(request.member))

    def _begin(self, served: Served) -> "Answer":
        return Answer(served, self._metrics, self._background, self._clock)

    def model(self) -> Model:
        """The model that serves now; raises NoModel before one is loaded."""
        return self._live.served().model


class Answer:
    """What the methods of the servicer work with."""

    def __init__(self, served: Served, metrics: Metrics, background: Executor, clock: Callable[[], float]) -> None:
        self._served = served
        self.model = served.model
        self.decode = served.decode
        self._metrics = metrics
        self._background = background
        self._clock = clock

    def __enter__(self) -> Self:
        self._stage_began = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        if error is None:
            self._finished("encode")
            self._metrics.models.answered_by(self._served.label)

    async def predict(self, asked: PredictionQuery) -> Predictions:
        """Predictions in the order asked."""
        self._decoded(asked.unused)
        if len(asked.movies) > INLINE_MOVIES or asked.played_count > INLINE_PLAYED:
            predicted = await self._in_background(lambda: self._predict(asked))
        else:
            predicted = self._predict(asked)
        self._answered(asked.member, asked.unused, predicted)
        return predicted

    async def rank(self, asked: RankingQuery) -> Page:
        """The page asked for."""
        self._decoded(asked.unused)
        end = asked.offset + asked.page_size
        rows, predicted = await self._in_background(
            lambda: self.model.rank(asked.member, asked.allowed, self._finished, most=end + 1)
        )
        page = predicted.take(np.arange(asked.offset, min(end, len(rows))))
        self._answered(asked.member, asked.unused, page, chosen=True)
        movie_ids = [self.model.catalogue.movie_ids[row] for row in rows[asked.offset : end].tolist()]
        return Page(movie_ids, page, end if end < len(rows) else None)

    async def explain(self, asked: PredictionQuery, suggest: bool) -> tuple[Explanation, NextFact | None]:
        """The explanation of the one movie asked for, and the fact to ask for next, where that is wanted."""
        self._decoded(asked.unused)
        member, movie = asked.member, asked.movies[0]
        explained = await self._in_background(lambda: self.model.explain(member, movie))
        suggested = await self._in_background(lambda: next_fact(self.model, member, movie)) if suggest else None
        self._answered(member, asked.unused, explained.predictions)
        return explained, suggested

    def _answered(self, member: MemberFacts, unused: UnusedFacts, told: Predictions, chosen: bool = False) -> None:
        """Count an answer; drift isn't looked for in predictions of movies that the model has chosen itself."""
        self._metrics.answered(told, self.model.schema.scale)
        self._metrics.drift.count(self.model, member, unused.unseen_positions, None if chosen else told)
        record_answer(self.model.version, told.member_evidence)

    def _predict(self, asked: PredictionQuery) -> Predictions:
        return self.model.predict(asked.member, asked.movies, self._finished)

    def _decoded(self, unused: UnusedFacts) -> None:
        self._finished("decode")
        self._metrics.not_used(unused)

    def _finished(self, stage: str) -> None:
        """The end of a stage is the begin of the next."""
        now = self._clock()
        self._metrics.stage(stage, now - self._stage_began)
        self._stage_began = now

    async def _in_background(self, work: Callable[[], T]) -> T:
        """Run in a thread; work that waits for one is dropped when its call is cancelled or its deadline passes."""

        def run() -> T:
            self._stage_began = self._clock()  # waiting for a thread is no stage
            return work()

        done = await asyncio.get_running_loop().run_in_executor(self._background, run)
        self._stage_began = self._clock()
        return done
