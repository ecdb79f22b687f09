"""The ports that the gateway needs, in memory, and what a test wants to see of them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from lucid.base.errors import Conflict, LucidError, NotFound, Unauthenticated
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.model.frame import Frame, decode_frames
from lucid.model.host import Grant, Host, HostCredentials
from lucid.model.policy import Policy
from lucid.model.session import SessionEnd
from lucid.ports.recording import SessionOpened

NOW = "2026-11-22T21:42:00.000000Z"


class FakeTickets:
    """Tickets that are used up when redeemed."""

    def __init__(self) -> None:
        self.grants: dict[str, Grant] = {}
        self.used: set[str] = set()
        self.expired: set[str] = set()

    def issue(self, secret: str, *, host: str = "demo", policy: Policy | None = None) -> str:
        self.grants[secret] = Grant(user="ann", host=host, policy=policy or Policy())
        return secret

    async def redeem(self, *, secret: Secret) -> Grant:
        key = secret.reveal()
        if key in self.used:
            raise Unauthenticated("the ticket was used before")
        if key in self.expired:
            raise Unauthenticated("the ticket has expired")
        if key not in self.grants:
            raise Unauthenticated("no such ticket")
        self.used.add(key)
        return self.grants[key]


class FakeHosts:
    """Hosts with their credentials; pinning as the port says."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.secrets: dict[str, HostCredentials] = {}

    def put(self, name: str, port: int, *, username: str, password: Secret, fingerprint: str = "") -> None:
        self.hosts[name] = Host(name=name, address="127.0.0.1", port=port, fingerprint=fingerprint, added=NOW)
        self.secrets[name] = HostCredentials(username=username, password=password)

    async def get(self, *, name: str) -> Host:
        if name not in self.hosts:
            raise NotFound(f"no host {name}")
        return self.hosts[name]

    async def credentials(self, *, host: Host) -> HostCredentials:
        return self.secrets[host.name]

    async def pin(self, *, name: str, fingerprint: str) -> Host:
        host = self.hosts[name]
        if host.fingerprint not in ("", fingerprint):
            raise Conflict("another certificate is pinned")
        self.hosts[name] = host.model_copy(update={"fingerprint": fingerprint})
        return self.hosts[name]


class FakePipeline:
    """Opens sessions at once, unless `refuse` holds an error or `gate` is closed."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.ends: dict[str, SessionEnd] = {}
        self.refuse: LucidError | None = None
        self.refuse_end: list[LucidError] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.ended = asyncio.Event()

    async def open(self, *, grant: Grant) -> SessionOpened:
        await self.gate.wait()
        if self.refuse is not None:
            raise self.refuse
        session = new_session_id()
        self.opened.append(session)
        return SessionOpened(session=session, opened=NOW)

    async def end(self, *, session: str, end: SessionEnd) -> None:
        if self.refuse_end:
            raise self.refuse_end.pop()
        self.ends[session] = end
        self.ended.set()

    async def last_end(self) -> SessionEnd:
        """How the session that was opened last ended, once it has."""
        while self.opened[-1] not in self.ends:
            self.ended.clear()
            await self.ended.wait()
        return self.ends[self.opened[-1]]


class FakeRecorder:
    """Keeps frames in memory. `fail` is raised by the next append; while `gate` is closed, appends wait."""

    def __init__(self) -> None:
        self.data: dict[str, bytearray] = {}
        self.calls = 0
        self.running = 0
        self.fail: LucidError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, *, session: str, frames: bytes | memoryview) -> None:
        assert self.running == 0, "calls must come one at a time"
        self.running += 1
        try:
            await self.gate.wait()
            if self.fail is not None:
                raise self.fail
            self.calls += 1
            self.data.setdefault(session, bytearray()).extend(frames)
        finally:
            self.running -= 1

    def frames(self, session: str) -> list[Frame]:
        return list(decode_frames(bytes(self.data.get(session, b""))))


class FakeBus:
    """Counts hits without a window's end."""

    def __init__(self) -> None:
        self.hits: dict[str, int] = {}

    async def hit(self, key: str, *, limit: int, window_s: float) -> float:
        self.hits[key] = self.hits.get(key, 0) + 1
        return window_s if self.hits[key] > limit else 0.0


class FakeFolder:
    """Files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def read(self, path: str) -> bytes:
        if path not in self.files:
            raise NotFound(f"no file {path}")
        return self.files[path]

    async def write(self, files: Mapping[str, bytes]) -> None:
        self.files.update(files)


Log = list[dict[str, Any]]


def logged(log: Log, event: str) -> list[tuple[str, str]]:
    """Reason and detail of each log line with that event."""
    return [(entry["reason"], entry["detail"]) for entry in log if entry["event"] == event]
