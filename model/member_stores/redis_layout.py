"""How live ratings lie in Redis: a hash for each member, which a script changes, so that no writer loses another's.

It only says what to send and how to read the answer, for blocking and asyncio clients alike.
"""

import json
from collections.abc import Mapping

from features.values.ids import is_id
from features.values.numbers import number_of
from model.errors import BadRecord
from model.facts.live_ratings import LIVE_PREFIX, MOST_LIVE_RATINGS, LiveRating
from model.facts.member_key import MemberKey

COMPLETE_KEY = LIVE_PREFIX + "complete"
"""Key of the mark that the store holds all live ratings: see `complete_mark`. While it is filled, a random token."""

RATE = """
local key, movie, value = KEYS[1], ARGV[1], ARGV[2]
local oldest, lifetime, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function earlier(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local given = cjson.decode(value)
if given[2] < oldest then return 'left_out' end
local before = redis.call('HGET', key, movie)
if before then
  local held = cjson.decode(before)
  if held[2] >= oldest and ARGV[6] == '1' then return given[3] == held[3] and 'older' or 'left_out' end
  if held[2] >= oldest and earlier(given, held) then return 'older' end
end
redis.call('HSET', key, movie, value)
local count, first, first_times = 0, nil, nil
local entries = redis.call('HGETALL', key)
for place = 1, #entries, 2 do
  local held = cjson.decode(entries[place + 1])
  if held[2] < oldest then
    redis.call('HDEL', key, entries[place])
  else
    count = count + 1
    if not first or earlier(held, first_times) then first, first_times = entries[place], held end
  end
end
if count > most then redis.call('HDEL', key, first) end
if redis.call('PTTL', key) < lifetime then redis.call('PEXPIRE', key, lifetime) end
return (count > most and first == movie) and 'left_out' or 'written'
"""
"""Script that writes a rating or withdrawal, unless the store holds a later one; drops what is too old or too much.

Its key is the member's; its arguments are those of `rate_arguments`. Returns `written`, `older` (a later one is there)
or `left_out` (older than all that is kept, or another is there that must stay).
"""

FINISH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
"""Script that replaces the token of a filling by the mark; returns 0 if the token isn't there any more."""


def rate_arguments(
    rating: LiveRating, now: float, keep_seconds: float, *, only_if_absent: bool = False
) -> list[str | int]:
    """Return the arguments of RATE; with `only_if_absent`, any rating or withdrawal that is there stays.

    `now` is the time in seconds since 1970 UTC, and `keep_seconds` how long a rating is kept after it was received.
    """
    value = json.dumps([rating.rated_at, rating.received_at, rating.rating])
    lifetime = max(round((rating.received_at + keep_seconds - now) * 1000), 1)
    return [rating.movie_id, value, repr(now - keep_seconds), lifetime, MOST_LIVE_RATINGS, int(only_if_absent)]


def live_ratings(entries: Mapping[bytes, bytes], oldest: float) -> list[LiveRating]:
    """Return the live ratings in a member's hash that were received at `oldest` or later, ordered by movie.

    Raises BadRecord if they aren't as `RATE` writes them.
    """
    ratings = [_rating(movie.decode(), value) for movie, value in sorted(entries.items())]
    return [rating for rating in ratings if rating.received_at >= oldest]


def complete_mark(info: Mapping[str, object], key: MemberKey) -> str:
    """Return the mark of a store that holds all live ratings: the run of the Redis server, and the key's fingerprint.

    `info` is the server section of INFO. A server that starts again may have lost ratings, and has another run.
    """
    return f"{info['run_id']} {key.fingerprint}"


def _rating(movie_id: str, value: bytes) -> LiveRating:
    try:
        rated_at, received_at, rating = json.loads(value)
    except (ValueError, TypeError) as error:
        raise BadRecord("a live rating isn't as the service writes it") from error
    numbers = [number_of(rated_at), number_of(received_at), None if rating is None else number_of(rating)]
    if not is_id(movie_id) or None in numbers[:2] or (rating is not None and numbers[2] is None):
        raise BadRecord("a live rating isn't as the service writes it")
    return LiveRating(movie_id, numbers[2], numbers[0], numbers[1])  # type: ignore[arg-type] # they were checked above
