"""Both kinds of stores keep the same live ratings, whoever writes them and in whatever order."""

import asyncio
import random
import sqlite3
from contextlib import asynccontextmanager

import pytest

from model.facts.live_ratings import MOST_LIVE_RATINGS, LiveRating
from model.facts.member_key import MemberKey
from model.member_stores.sqlite_members import create
from service.stores.redis_backend import RedisBackend
from service.stores.sqlite_backend import TIDY_SECONDS, SqliteBackend

KEY = MemberKey(b"a secret of sixteen bytes or more")
KEPT = 1_000.0


class Clock:
    """Time that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(params=["sqlite", "redis"])
def workers(request, tmp_path):
    """Opens so many workers' stores, which share a clock and what they hold."""
    redis = request.getfixturevalue("store") if request.param == "redis" else None

    @asynccontextmanager
    async def opened(count, clock):
        path = tmp_path / "members.db"
        if redis is None:
            create(path, KEY, complete=True)
        stores = [
            SqliteBackend(path, KEY, KEY, KEPT, clock)
            if redis is None
            else RedisBackend(redis.address, 5, KEY, KEPT, clock)
            for _ in range(count)
        ]
        try:
            yield stores
        finally:
            for store in stores:
                await store.close()

    return opened


def test_the_latest_rating_of_a_movie_stays_for_so_long_after_it_was_received(workers):
    async def check():
        clock = Clock()
        clock.now = 2_000.0
        async with workers(2, clock) as (here, there):

            async def write(rating, rated_at, received_at=2_000.0, only_if_absent=False):
                live = LiveRating("movie", rating, rated_at, received_at)
                return await here.write("member", live, only_if_absent=only_if_absent)

            async def read():
                return [each[1:3] for each in (await there.read("member")).live]

            assert await write(3, 50) == "written"
            assert await write(1, 49) == "older"
            assert await write(1, 60, only_if_absent=True) == "left_out", "another is there"
            assert await write(3, 60, only_if_absent=True) == "older", "the same is there"
            assert await read() == [(3, 50)]
            assert await write(4, 50, 2_001.0) == "written", "of two at the same time the one received later"
            assert await write(2, 50, 2_000.5) == "older"
            assert await write(None, 70, 2_100.0) == "written"
            assert await write(None, 80, only_if_absent=True) == "older"
            assert await write(5, 80, only_if_absent=True) == "left_out"
            assert await read() == [(None, 70)]
            assert await write(5, 80, 900.0) == "left_out", "received too long ago"
            clock.now = 2_100.0 + KEPT
            assert await read() == [(None, 70)]
            clock.now += 1
            assert await read() == []
            assert await write(2, 60, clock.now, only_if_absent=True) == "written", "what is out of date counts no more"
            assert await read() == [(2, 60)]

    asyncio.run(check())


def test_of_too_many_ratings_the_oldest_leave_first(workers):
    async def check():
        clock = Clock()
        clock.now = 1.0
        async with workers(1, clock) as (store,):
            times = random.Random(0).sample(range(10_000), MOST_LIVE_RATINGS + 20)
            ratings = [LiveRating(f"movie-{time:05}", 3.0, float(time), 1.0) for time in times]
            await asyncio.gather(*(store.write("member", rating, only_if_absent=False) for rating in ratings))
            live = (await store.read("member")).live
            assert sorted(each.rated_at for each in live) == sorted(times)[20:]
            result = await store.write("member", LiveRating("old", 3.0, min(times) - 1.0, 1.0), only_if_absent=False)
            assert result == "left_out"
            assert len((await store.read("member")).live) == MOST_LIVE_RATINGS

    asyncio.run(check())


def test_workers_that_write_at_once_lose_none_of_each_others_ratings(workers):
    async def check():
        clock = Clock()
        clock.now = 1.0
        async with workers(3, clock) as stores:
            chance = random.Random(1)
            ratings = [LiveRating(f"movie-{number % 20:02}", number, number, 1.0) for number in range(200)]
            chance.shuffle(ratings)
            writes = (chance.choice(stores).write("member", rating, only_if_absent=False) for rating in ratings)
            assert set(await asyncio.gather(*writes)) == {"written", "older"}
            for store in stores:
                live = {each.movie_id: each.rating for each in (await store.read("member")).live}
                assert live == {f"movie-{number % 20:02}": float(number) for number in range(180, 200)}
            assert not (await stores[0].read("somebody else")).live

    asyncio.run(check())


def test_a_file_loses_outdated_ratings_also_while_nobody_rates(tmp_path):
    path, clock = tmp_path / "members.db", Clock()
    create(path, KEY, complete=True)

    def has_rating():
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return b"movie-of-note" in path.read_bytes()

    async def check():
        store = SqliteBackend(path, KEY, KEY, KEPT, clock)
        await store.write("member", LiveRating("movie-of-note", 3.0, 0.0, 0.0), only_if_absent=False)
        assert has_rating()
        clock.now += KEPT + TIDY_SECONDS + 1
        await store.read("somebody else")
        for _ in range(200):
            if not has_rating():
                break
            await asyncio.sleep(0.05)
        assert not has_rating()
        await store.close()

    asyncio.run(check())


def test_redis_forgets_members_who_rate_no_more(store):
    async def write():
        backend = RedisBackend(store.address, 5, KEY, KEPT, lambda: 400.0)
        for received_at in (300.0, 100.0):
            rating = LiveRating(f"movie {received_at}", 3.0, 1.0, received_at)
            assert await backend.write("member", rating, only_if_absent=False) == "written"
        await backend.close()

    asyncio.run(write())
    with store.client as client:
        [key] = client.keys("*")
        assert 895_000 < client.pttl(key) <= 900_000, "as long as the rating that was received last"
