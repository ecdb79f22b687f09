"""Who waits for a session to change, and the streams of events that tell of it (server-sent events)."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

from lucid.base.ids import SessionId
from lucid.model.session import Session, SessionState
from lucid.ports.recording import Pipeline

_LAST = (SessionState.PROVEN, SessionState.FAILED)


class Changes:
    """Wakes those who wait for a session. Nobody may rely on being woken: events can be lost."""

    def __init__(self) -> None:
        self._waiting: defaultdict[SessionId, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the service is stopping."""
        return self._closed

    def tell(self, session: SessionId) -> None:
        """The session has changed."""
        for event in self._waiting.get(session, ()):
            event.set()

    def close(self) -> None:
        """Wake everybody for good."""
        self._closed = True
        for session in self._waiting:
            self.tell(session)

    @contextlib.contextmanager
    def watching(self, session: SessionId) -> Iterator[asyncio.Event]:
        """An event that is set with each change from now on."""
        event = asyncio.Event()
        self._waiting[session].add(event)
        try:
            yield event
        finally:
            self._waiting[session].discard(event)
            if not self._waiting[session]:
                del self._waiting[session]


async def session_events(
    first: Session, pipeline: Pipeline, changes: Changes, *, seen: str, heartbeat_s: float
) -> AsyncIterator[bytes]:
    """The states of a session as they come, as server-sent events (HTML standard, section 9.2), until it is proven or
    failed. An event's id is its state, since a session never has a state twice; the one named by `seen` is not sent
    again. A comment is sent when nothing happens."""
    session = first
    with changes.watching(session.id) as changed:
        while not changes.closed:
            if session.state != seen:
                seen = session.state
                yield _event(session)
            if session.state in _LAST:
                return
            try:
                async with asyncio.timeout(heartbeat_s):
                    await changed.wait()
            except TimeoutError:
                yield b": alive\n\n"
            changed.clear()
            session = await pipeline.get(session=session.id)


def _event(session: Session) -> bytes:
    data = {"id": session.id, "state": session.state, "closed": session.closed, "manifest": session.manifest}
    return f"id: {session.state}\nevent: state\ndata: {json.dumps(data)}\n\n".encode()
