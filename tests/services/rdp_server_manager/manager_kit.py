"""A manager on documents in a folder, with a log, a built-in host, sessions and an audit trail in memory."""

import asyncio
from typing import cast

from lucid.base.errors import NotFound, Unavailable
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.entry import LogEntry
from lucid.model.host import Host
from lucid.model.session import Session, SessionState
from lucid.ports.access import Audit, AuditEvent
from lucid.ports.desktops import XrdpDesktop, XrdpHost, XrdpStatus
from lucid.ports.log import Anchoring
from lucid.ports.recording import Pipeline
from lucid.services.rdp_server_manager.service import ServerManager
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings
from tests.clocks import TurnedClock

TIME = "2026-11-22T21:42:00.000000Z"
SETTINGS = RdpServerManagerSettings(host_seal_key=Secret("ab" * 32), retry_s=0.01, desktops_per_owner=2)
PLACE = Host(name="built-in", address="127.0.0.1", port=13390, fingerprint="5" * 64, added=TIME)


class Acts:
    """The part of Anchoring that is needed here. While `down`, the log takes nothing."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, str]]] = []
        self.down = False
        self.refused = asyncio.Event()
        self.asked = asyncio.Event()
        self.wait: asyncio.Event | None = None

    async def act(self, *, type: str, subject: dict[str, str], session: str | None = None) -> LogEntry:
        self.asked.set()
        if self.wait is not None:
            await self.wait.wait()
        if self.down:
            self.refused.set()
            raise Unavailable("the log does not answer")
        self.taken.append((type, subject))
        return LogEntry(type=type, time=TIME, actor="rdp-server-manager", body="0" * 64)


class FakeXrdp:
    """The built-in host: passwords by account, those that run, how often each home was renewed. `fail` names the
    calls that raise Unavailable."""

    def __init__(self) -> None:
        self.available = True
        self.place = PLACE
        self.passwords: dict[str, Secret] = {}
        self.running: set[str] = set()
        self.homes: dict[str, int] = {}
        self.fail: set[str] = set()

    def _check(self, call: str) -> None:
        if call in self.fail or not self.available:
            raise Unavailable(f"{call} fails")

    async def status(self) -> XrdpStatus:
        return XrdpStatus(available=self.available, reason="" if self.available else "xrdp is not installed")

    async def endpoint(self) -> Host:
        self._check("endpoint")
        return self.place

    async def create_user(self, *, user: str, password: Secret) -> None:
        self._check("create_user")
        self.passwords[user] = password
        self.homes.setdefault(user, 1)

    async def remove_user(self, *, user: str) -> None:
        self._check("remove_user")
        self.passwords.pop(user, None)
        self.running.discard(user)

    async def stop_session(self, *, user: str) -> bool:
        self._check("stop_session")
        if user not in self.passwords:
            raise NotFound(f"no account {user}")
        was = user in self.running
        self.running.discard(user)
        return was

    async def reset_user(self, *, user: str) -> None:
        self._check("reset_user")
        self.running.discard(user)
        self.homes[user] += 1

    async def desktops(self) -> list[XrdpDesktop]:
        return [XrdpDesktop(user=user, running=user in self.running) for user in sorted(self.passwords)]


class FakeSessions:
    """The part of Pipeline that is needed here."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    def begin(self, host: str) -> str:
        session = Session(
            id=new_session_id(), user="ada", host=host, policy="0" * 64, state=SessionState.RECORDING, opened=TIME
        )
        self.sessions.append(session)
        return session.id

    def end(self, id: str) -> None:
        self.sessions = [session for session in self.sessions if session.id != id]

    async def list(self, *, after: str | None = None, state: str | None = None, limit: int = 50) -> list[Session]:
        found = sorted((one for one in self.sessions if one.state == state), key=lambda one: one.id, reverse=True)
        return [one for one in found if after is None or one.id < after][:limit]


class Trail:
    """The part of Audit that is needed here."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, *, event: AuditEvent) -> None:
        self.events.append(event)

    def acts(self) -> list[tuple[str, str]]:
        """Each act and who did it."""
        return [(event.act, event.actor) for event in self.events]


class Kit:
    """A manager with all that it needs; `again` makes another one on the same stores, as after a crash."""

    def __init__(self, documents: SqliteDocuments, settings: RdpServerManagerSettings = SETTINGS) -> None:
        self.documents = documents
        self.settings = settings
        self.anchored, self.xrdp, self.sessions, self.trail = Acts(), FakeXrdp(), FakeSessions(), Trail()
        self.clock = TurnedClock()
        self.manager = self.again()

    def again(self) -> ServerManager:
        return ServerManager(
            self.settings,
            documents=self.documents,
            anchoring=cast(Anchoring, self.anchored),
            pipeline=cast(Pipeline, self.sessions),
            xrdp=cast(XrdpHost, self.xrdp),
            audit=cast(Audit, self.trail),
            clock=self.clock,
        )
