"""Search over a hundred thousand sessions: a mixed set of searches, one after the other, while documents are put.

On tantivy, as embedded; the same over Elasticsearch's API against noida-db, a stand-in that keeps everything in memory:
that says what the client costs, nothing about Elasticsearch. It gets fewer sessions, since it looks at each.
"""

import asyncio
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.report import Row, at_most
from lucid.base.clock import shift_time
from lucid.base.ids import new_session_id
from lucid.drivers.elasticsearch.index import ElasticsearchIndex
from lucid.drivers.tantivy.index import TantivyIndex
from lucid.model.kept import Kept
from lucid.model.session import EndReason, Session, SessionEnd, SessionState
from lucid.ports.search import Indexed, Query, Range, SearchIndex
from lucid.services.session_api.search.kinds import COLLECTIONS, session_document
from tests.contract.noida import noida

SESSIONS = 100_000
SEARCHES = 500
OF_STAND_IN = 5_000, 50
"""Sessions and searches."""
BATCH = 5_000
GOAL_MS = 50
_FIRST = "2026-01-01T00:00:00.000000Z"
_USERS = [f"user-{n}" for n in range(500)]
_HOSTS = [f"host-{n}.example" for n in range(200)]
_THINGS = COLLECTIONS["sessions"]


def run() -> list[Row]:
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="lucid-search-") as folder:
        embedded = TantivyIndex(Path(folder) / "tantivy")
        rows = await _searches(embedded, "tantivy", SESSIONS, SEARCHES, goal=True)
        await embedded.aclose()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append(Row("peak memory of the process that does it", f"{peak:.0f} MiB"))
        with noida(Path(folder)) as url:
            remote = ElasticsearchIndex(url)
            rows += await _searches(remote, f"noida-db, {OF_STAND_IN[0]} sessions", *OF_STAND_IN, goal=False)
            await remote.aclose()
    return rows


async def _searches(index: SearchIndex, what: str, sessions: int, searches: int, *, goal: bool) -> list[Row]:
    chance = random.Random(7)
    begun = time.perf_counter()
    for _ in range(sessions // BATCH):
        await index.put(_THINGS, [_session(chance) for _ in range(BATCH)])
    rows = [Row(f"{what}: sessions put, a second", f"{sessions / (time.perf_counter() - begun):.0f}")]
    for writing in (False, True):
        puts = asyncio.create_task(_keep_putting(index, chance)) if writing else None
        spent = [await _timed(index, query) for query in _queries(chance, searches)]
        if puts is not None:
            puts.cancel()
            await asyncio.wait([puts])
        beside = " beside a put of 10 sessions every 100 ms" if writing else ""
        p99 = statistics.quantiles(spent, n=100)[98] * 1000
        rows.append(Row(f"{what}: median of a search{beside}", f"{statistics.median(spent) * 1000:.2f} ms"))
        named = f"{what}: p99 of a search{beside}"
        rows.append(at_most(named, p99, GOAL_MS, " ms") if goal else Row(named, f"{p99:.2f} ms"))
    return rows


async def _keep_putting(index: SearchIndex, chance: random.Random) -> None:
    while True:
        await index.put(_THINGS, [_session(chance) for _ in range(10)])
        await asyncio.sleep(0.1)


async def _timed(index: SearchIndex, query: Query) -> float:
    begun = time.perf_counter()
    page = await index.search(_THINGS, query)
    if page.next:
        # Every second search goes on to the next page, which is timed alone.
        query, begun = query.model_copy(update={"cursor": page.next}), time.perf_counter()
        await index.search(_THINGS, query)
    return time.perf_counter() - begun


def _queries(chance: random.Random, searches: int) -> list[Query]:
    """What a list in a browser asks for: the newest of all, of a person, of a host, in a time, by words, sorted."""

    def one() -> Query:
        user, host = chance.choice(_USERS), chance.choice(_HOSTS)
        day = shift_time(_FIRST, chance.randrange(300) * 86_400)
        week = Range(field="opened", at_least=day, at_most=shift_time(day, 7 * 86_400))
        return chance.choice(
            [
                Query(sort="-opened", limit=50),
                Query(sort="-opened", where={"user": (user,)}, limit=50),
                Query(sort="-opened", where={"host": (host,), "state": ("proven",)}, limit=50),
                Query(sort="-opened", ranges=(week,), limit=50),
                Query(sort="-stored_bytes", text="idle limit", limit=50),
                Query(sort="-opened", text=f"{host} {user}", limit=50),
                Query(sort="user", text="example", where={"state": ("proven",)}, ranges=(week,), limit=200),
            ]
        )

    return [one() for _ in range(searches)]


def _session(chance: random.Random) -> Indexed:
    opened = shift_time(_FIRST, chance.random() * 300 * 86_400)
    state = SessionState.PROVEN if chance.random() < 0.97 else SessionState.RECORDING
    session = Session(
        id=new_session_id(),
        user=chance.choice(_USERS),
        host=chance.choice(_HOSTS),
        policy="0" * 64,
        state=state,
        opened=opened,
        closed=shift_time(opened, 600),
        end=SessionEnd(reason=chance.choice(list(EndReason))),
        recorded_bytes=chance.randrange(10**9),
        stored_bytes=chance.randrange(10**8),
    )
    return session_document(session, Kept(session=session.id))
