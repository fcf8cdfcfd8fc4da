"""The last good content of a watched file: bad changes are reported once and never taken over."""

import asyncio

import pytest

from service.errors import TokensError
from service.rpc.security.last_good_file import LastGood


def parse(content: str) -> int:
    if not content.isdigit():
        raise TokensError("no number")
    return int(content)


class Watched:
    """A file in memory, and what was reported of it."""

    def __init__(self, content: str) -> None:
        self.content: str | None = content
        self.reports: list[tuple[object, ...]] = []
        self.last_good = LastGood(
            self._read,
            parse,
            lambda value: self.reports.append(("loaded", value)),
            lambda error, value: self.reports.append(("refused", str(error), value)),
        )

    def _read(self) -> str:
        if self.content is None:
            raise TokensError("no file")
        return self.content

    def change(self, content: str | None) -> int:
        """The last good value after two looks at other content."""
        self.content = content
        self.last_good.look()
        return self.last_good.look()


def test_a_good_change_is_taken_over_and_reported_once():
    watched = Watched("1")
    assert watched.last_good.value == 1
    assert watched.change("1") == 1
    assert watched.reports == []
    assert watched.change("2") == 2
    assert watched.reports == [("loaded", 2)]


def test_each_bad_change_is_reported_once_and_the_last_good_value_stays():
    watched = Watched("1")
    for content in ("a", "b", None, "b"):
        assert watched.change(content) == 1
    reasons = ["no number", "no number", "no file", "no number"]
    assert watched.reports == [("refused", reason, 1) for reason in reasons]


def test_the_content_before_is_loaded_again_when_it_comes_back():
    watched = Watched("1")
    watched.change(None)
    assert watched.change("1") == 1
    assert watched.reports == [("refused", "no file", 1), ("loaded", 1)]


def test_content_that_can_not_be_used_from_the_start_is_an_error():
    with pytest.raises(TokensError, match="no number"):
        Watched("a")


def test_a_follower_looks_until_it_is_cancelled():
    watched = Watched("1")

    async def follow() -> None:
        following = asyncio.create_task(watched.last_good.follow(0.001))
        watched.content = "2"
        while not watched.reports:
            await asyncio.sleep(0.001)
        following.cancel()
        await asyncio.wait([following])

    asyncio.run(follow())
    assert watched.last_good.value == 2
