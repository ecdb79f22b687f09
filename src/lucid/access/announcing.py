"""Events for whoever listens on the bus, sent in the background: they may be lost, nothing waits for them."""

import asyncio

import structlog

from lucid.base.errors import LucidError
from lucid.base.tasks import Tasks
from lucid.ports.stores import Bus, Json

WAITING = 1_000
"""Events that wait to be sent; further ones are dropped while the bus does not answer."""

_log = structlog.get_logger()


class Announcer:
    """Sends between start() and stop()."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: asyncio.Queue[tuple[str, Json]] = asyncio.Queue(WAITING)
        self._tasks = Tasks("announcer")

    async def start(self) -> None:
        self._tasks.spawn(self._send(), name="send")

    async def stop(self) -> None:
        await self._tasks.close()

    def check(self) -> None:
        """Raises the failure of the sender, if there was one."""
        self._tasks.check()

    def announce(self, topic: str, body: Json) -> None:
        """Publish soon."""
        try:
            self._waiting.put_nowait((topic, body))
        except asyncio.QueueFull:
            _log.warning("event dropped", topic=topic)

    async def _send(self) -> None:
        while True:
            topic, body = await self._waiting.get()
            try:
                await self._bus.publish(topic, body)
            except LucidError as error:
                _log.warning("event lost", topic=topic, error=error.slug, detail=error.detail)
