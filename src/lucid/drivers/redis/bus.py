"""Events and limits on Redis or Valkey (port Bus), by the redis-py client."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.drivers.bodies import encode_body
from lucid.ports.stores import Allowance, Event, Hit, Json

KEPT_EVENTS = 10_000
"""Events kept of a topic, at least; Redis trims whole nodes of about a hundred."""

ANSWER_LIMIT_S = 5.0
_CONNECTIONS = 256

# A sliding window, exactly: the times of the hits that were allowed, in microseconds of the server's clock.
# Times ahead of the clock (it was set back) are forgotten, so that nobody is locked out by them.
_HIT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')
if redis.call('ZCARD', KEYS[1]) < limit then
    redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[3])
    redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
    return 0
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
return oldest and math.max(1, oldest + window - now) or window
"""

# Limits that refill, by the generic cell rate algorithm (ITU-T I.371): one number a key, the moment at which the limit
# is whole again. A moment further ahead than the window is of a clock that was set back since, or of a lower limit. The
# answer is one text, which the client reads far faster than a list of numbers.
_HITS = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {}
for i, key in ipairs(KEYS) do
    local limit, window, spare = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    local step = window / limit
    local whole = math.min(math.max(tonumber(redis.call('GET', key) or now), now), now + window)
    local wait, left, ahead = whole + step - window - now, 0, 0
    if wait <= 0 then
        wait = 0
        whole = whole + step
        left = math.floor((now + window - whole) / step + 0.000001)
        ahead = math.min(spare, left)
        left = left - ahead
        whole = whole + ahead * step
        redis.call('SET', key, string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000) + 1)
    end
    answer[i] = string.format('%.0f %.0f %.0f %.0f', left, math.ceil(wait), math.ceil(whole - now), ahead)
end
return table.concat(answer, ' ')
"""


class RedisBus:
    """The bus at `url` (`redis://`, `rediss://` or `unix://`, with its password). Connects at the first call;
    after a lost connection a call is tried again, so an event may then be published twice."""

    def __init__(self, url: Secret) -> None:
        pool = BlockingConnectionPool.from_url(
            url.reveal(),
            decode_responses=True,
            max_connections=_CONNECTIONS,
            timeout=ANSWER_LIMIT_S,
            socket_connect_timeout=ANSWER_LIMIT_S,
            socket_timeout=None,  # reads wait as long as they are asked to; `_limited` bounds every call
            retry=Retry(ExponentialBackoff(cap=0.4, base=0.05), 4),
            retry_on_error=[RedisConnectionError],
        )
        self._redis = Redis.from_pool(pool)
        self._hit = self._redis.register_script(_HIT)
        self._hits = self._redis.register_script(_HITS)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def publish(self, topic: str, body: Json) -> str:
        text = encode_body(body)
        async with _limited(0):
            position = await self._redis.xadd(_stream(topic), {"body": text}, maxlen=KEPT_EVENTS, approximate=True)
        return str(position)

    async def read(self, topic: str, *, after: str = "$", wait_s: float = 1.0, limit: int = 100) -> list[Event]:
        block_ms = int(wait_s * 1000) or None  # None: do not wait; to Redis, 0 would mean for ever
        async with _limited(wait_s):
            answer: Any = await self._redis.xread({_stream(topic): after}, count=limit, block=block_ms)
        streams = answer.items() if isinstance(answer, dict) else answer or ()
        return [
            Event(topic, position, json.loads(fields["body"])) for _, events in streams for position, fields in events
        ]

    async def hit(self, key: str, *, limit: int, window_s: float) -> float:
        arguments: list[int | str] = [limit, int(window_s * 1_000_000), secrets.token_hex(8)]
        async with _limited(0):
            wait_us = await self._hit(keys=[f"lucid:limit:{key}"], args=[*arguments])
        return float(wait_us) / 1_000_000

    async def hits(self, hits: Sequence[Hit]) -> list[Allowance]:
        if not hits:
            return []
        arguments = [value for hit in hits for value in (hit.limit, int(hit.window_s * 1_000_000), hit.spare)]
        async with _limited(0):
            answer: Any = await self._hits(keys=[f"lucid:rate:{hit.key}" for hit in hits], args=arguments)
        numbers = [int(number) for number in answer.split()]
        told = zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True)
        return [Allowance(left, wait / 1_000_000, whole / 1_000_000, ahead) for left, wait, whole, ahead in told]


def _stream(topic: str) -> str:
    return f"lucid:events:{topic}"


@contextlib.asynccontextmanager
async def _limited(wait_s: float) -> AsyncIterator[None]:
    """Bound a call and turn the client's failures into Unavailable."""
    try:
        async with asyncio.timeout(wait_s + ANSWER_LIMIT_S):
            yield
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable(f"the event bus does not answer: {error or type(error).__name__}") from error
