"""Calls that come in together are worked out together, and each gets its own answer or its own error."""

import asyncio

import numpy as np
import pytest

from model.facts import MemberFacts
from model.model import Model, Rows
from service.together import MOST_CALLS, MOST_ROWS, Together


class Counting(Model):
    """A model that notes how many requests it is asked at once, and fails for the row 13."""

    def predict_together(self, requests, finished=lambda _: None):
        asked = self.__dict__.setdefault("asked", [])
        asked.append(len(requests))
        if any(13 in request.rows for request in requests):
            raise RuntimeError("unlucky")
        return super().predict_together(requests, finished)


@pytest.fixture
def model(small) -> Counting:
    return Counting(**{name: getattr(small.model, name) for name in Model.__dataclass_fields__})


def answers(model, *wanted: list[int]) -> list:
    """What calls for those rows get that are all begun at once."""
    measured = []

    async def ask() -> list:
        together = Together(lambda *told: measured.append(told), lambda: 0.0)
        nobody = MemberFacts.nothing(model.schema)
        calls = [together.predict(model, Rows(nobody, np.array(rows, np.int64))) for rows in wanted]
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(ask())
    assert sum(answers for stage, _, answers in measured if stage == "trees") == sum(
        not isinstance(one, BaseException) for one in found
    )
    return found


def test_calls_that_are_begun_at_once_are_worked_out_at_once(model):
    found = answers(model, [0], [1, 2], [3])
    assert model.asked == [3]
    alone = model.predict(MemberFacts.nothing(model.schema), [1, 2])
    assert [len(one.rating) for one in found] == [1, 2, 1]
    assert found[1].rating.tobytes() == alone.rating.tobytes()


def test_one_that_fails_harms_no_other(model):
    found = answers(model, [0], [13], [1])
    assert [isinstance(one, RuntimeError) for one in found] == [False, True, False]


@pytest.mark.parametrize("calls", [MOST_CALLS + 1, 3 * MOST_CALLS])
def test_a_crowd_is_served_in_turns_that_are_not_too_long(model, calls):
    found = answers(model, *[[0]] * calls)
    assert len(found) == calls
    assert sum(model.asked) == calls
    assert max(model.asked) <= MOST_CALLS


def test_many_movies_fill_a_turn_too(model):
    found = answers(model, *[list(range(12)) * (MOST_ROWS // 24)] * 5)
    assert len(found) == 5
    assert max(model.asked) == 2


def test_a_call_that_is_given_up_is_not_worked_out(model):
    async def ask() -> None:
        together = Together(lambda *_: None, lambda: 0.0)
        row = Rows(MemberFacts.nothing(model.schema), np.zeros(1, np.int64))
        calls = [asyncio.ensure_future(together.predict(model, row)) for _ in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(ask())
    assert model.asked == [2]
