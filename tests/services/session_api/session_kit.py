"""A session-api on documents and an index in a folder, with everybody else in memory."""

import asyncio
import json
from typing import Any, cast

from lucid.base.clock import shift_time
from lucid.base.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.canonical import digest_of
from lucid.model.chunk import ChunkRecord
from lucid.model.entry import LogEntry
from lucid.model.host import Host, Ticket
from lucid.model.manifest import ByteCounts, ChunkTree, Manifest, WrappedKey
from lucid.model.policy import Policy
from lucid.model.session import EndReason, RecorderNumber, Session, SessionEnd, SessionState
from lucid.ports.access import (
    Account,
    Accounts,
    Approval,
    Approvals,
    ApprovalState,
    Audit,
    AuditEvent,
    Gateway,
    GatewayEndpoint,
    Hosts,
    Tickets,
)
from lucid.ports.log import Anchoring, DataChain, LogWriter
from lucid.ports.recording import Pipeline, Storage, TypedLine, TypedText
from lucid.ports.search import SearchIndex
from lucid.ports.stores import Bus, Event
from lucid.services.session_api.service import SessionApi
from lucid.services.session_api.settings import SessionApiSettings
from tests.clocks import TurnedClock

TIME = "2026-11-22T21:42:00.000000Z"
OWNER = age.new_identity()
DATA_KEY = bytes(range(32))


class World:
    """What session-api sees of the others: plain fields that a test changes. `events` are those of the bus that are
    told; while `deaf`, none is. `broken` names calls that raise Unavailable."""

    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.sessions: dict[str, Session] = {}
        self.bodies: dict[str, bytes] = {}
        self.chunks: dict[str, bytes] = {}
        self.acts: list[tuple[str, str | None]] = []
        self.audit: list[AuditEvent] = []
        self.hosts: dict[str, Host] = {}
        self.accounts: list[Account] = []
        self.approvals: dict[str, Approval] = {}
        self.code = "123456"
        self.terminated: list[str] = []
        self.typed: list[TypedText] = []
        self.events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.broken: set[str] = set()

    def check(self, call: str) -> None:
        if call in self.broken:
            raise Unavailable(f"{call} does not answer")

    def add_session(self, user: str = "ada", host: str = "office", **changes: Any) -> Session:
        """A proven session with two chunks, unless `changes` say otherwise."""
        session = new_session_id()
        records = []
        for index in range(2):
            data = f"{session} {index}".encode()
            self.chunks[digest_of(data)] = data
            records.append(
                ChunkRecord(
                    digest=digest_of(data), size=200, index=index, attempt=0, first_us=0, last_us=9, frames=1, length=50
                )
            )
        key = WrappedKey(recipient=age.recipient_of(OWNER), wrapped=age.wrap(DATA_KEY, age.recipient_of(OWNER)))
        number = RecorderNumber(id="rec", sequence=1)
        end = SessionEnd(reason=EndReason.CLIENT_CLOSED)
        manifest = Manifest(
            session=session,
            user=user,
            host=host,
            policy="0" * 64,
            recorder=number,
            opened=TIME,
            closed=TIME,
            end=end,
            duration_us=9,
            frames=2,
            bytes=ByteCounts(recorded=100, stored=400),
            chunks=ChunkTree(count=2, root="0" * 64),
            keys=(key,),
        )
        self.bodies[manifest.digest()] = manifest.to_bytes()
        known = Session(
            id=session,
            user=user,
            host=host,
            policy="0" * 64,
            state=SessionState.PROVEN,
            recorder=number,
            opened=TIME,
            closed=TIME,
            end=end,
            frames=2,
            recorded_bytes=100,
            stored_bytes=400,
            chunks=tuple(records),
            manifest=manifest.digest(),
        )
        self.sessions[session] = known.model_copy(update=changes)
        return self.sessions[session]

    def add_typed(self, session: Session, *lines: str, told: bool) -> TypedText:
        """Lines that were typed in one segment of the session."""
        text = TypedText(
            id=f"{session.id}-{len(self.typed):012d}",
            session=session.id,
            user=session.user,
            host=session.host,
            opened=session.opened,
            segment=len(self.typed),
            layout="German",
            lines=tuple(TypedLine(text=line, times_us=(0,) * len(line.split())) for line in lines),
        )
        self.typed.append(text)
        if told:
            self.events.put_nowait(("sessions", {"session": session.id, "typed": text.id}))
        return text

    def change_session(self, session: str, *, told: bool, **changes: Any) -> None:
        self.sessions[session] = self.sessions[session].model_copy(update=changes)
        if told:
            self.events.put_nowait(("sessions", {"session": session}))


class Everybody:
    """Each port that session-api needs, as far as it uses it. Some ports have methods of one name."""

    def __init__(self, world: World) -> None:
        self.world = world


class FakePipeline(Everybody):
    async def get(self, *, session: str) -> Session:
        self.world.check("Pipeline.get")
        if session not in self.world.sessions:
            raise NotFound(f"no session {session}")
        return self.world.sessions[session]

    async def typed_text(
        self, *, session: str | None = None, after: str | None = None, newest_first: bool = False, limit: int = 50
    ) -> list[TypedText]:
        found = sorted(self.world.typed, key=lambda text: text.id, reverse=newest_first)
        behind = [text for text in found if after is None or (text.id < after) == newest_first]
        return [text for text in behind if session in (None, text.session)][:limit]

    async def forget_typed_text(self, *, session: str) -> list[str]:
        self.world.check("Pipeline.forget_typed_text")
        forgotten = [text.id for text in self.world.typed if text.session == session]
        self.world.typed = [text for text in self.world.typed if text.session != session]
        return forgotten

    async def list(self, *, after: str | None = None, state: str | None = None, limit: int = 50) -> list[Session]:
        self.world.check("Pipeline.list")
        found = sorted(self.world.sessions.values(), key=lambda session: session.id, reverse=True)
        behind = [session for session in found if after is None or session.id < after]
        return [session.model_copy(update={"chunks": ()}) for session in behind[:limit]]


class FakeAnchoring(Everybody):
    async def act(self, *, type: str, subject: dict[str, str], session: str | None = None) -> LogEntry:
        self.world.check("Anchoring.act")
        self.world.acts.append((type, session))
        body = digest_of(json.dumps(subject).encode())
        return LogEntry(type=type, time=TIME, actor="user", body=body, session=session)


class FakeBodies(Everybody):
    async def get(self, *, digest: str) -> bytes:
        if digest not in self.world.bodies:
            raise NotFound("no such body")
        return self.world.bodies[digest]

    async def delete(self, *, digest: str) -> bool:
        self.world.check("DataChain.delete")
        return self.world.bodies.pop(digest, None) is not None


class FakeStorage(Everybody):
    async def get(self, *, digest: str) -> bytes:
        if digest not in self.world.chunks:
            raise NotFound("no such chunk")
        return self.world.chunks[digest]

    async def delete(self, *, digest: str) -> bool:
        self.world.check("Storage.delete")
        return self.world.chunks.pop(digest, None) is not None


class FakeTickets(Everybody):
    async def issue(self, *, user: str, host: str, policy: Policy, ttl_s: int = 120) -> Ticket:
        return Ticket(secret=Secret("ticket"), user=user, host=host, expires=shift_time(TIME, ttl_s))


class FakeApprovals(Everybody):
    async def request(self, *, user: str, host: str, policy: Policy, reason: str) -> Approval:
        made = Approval(
            id=new_session_id(), user=user, host=host, policy=policy, reason=reason, requested=TIME, expires=TIME
        )
        self.world.approvals[made.id] = made
        return made

    async def get(self, *, id: str) -> Approval:
        if id not in self.world.approvals:
            raise NotFound(f"no approval {id}")
        return self.world.approvals[id]

    async def use(self, *, id: str, user: str, host: str, policy: Policy) -> None:
        found = self.world.approvals[id]
        if (found.user, found.host, found.policy, found.state) != (user, host, policy, ApprovalState.APPROVED):
            raise Forbidden("the approval is not for this")
        self.world.approvals[id] = found.model_copy(update={"state": ApprovalState.USED})


class FakeAccounts(Everybody):
    async def list(self, *, after: str | None = None, limit: int = 100) -> list[Account]:
        return [account for account in self.world.accounts if account.name > (after or "")][:limit]

    async def check_second_factor(self, *, name: str, code: Secret) -> None:
        if code.reveal() != self.world.code:
            raise Unauthenticated("the code is wrong")


class FakeHosts(Everybody):
    async def list(self) -> list[Host]:
        return list(self.world.hosts.values())

    async def get(self, *, name: str) -> Host:
        if name not in self.world.hosts:
            raise NotFound(f"no host {name}")
        return self.world.hosts[name]

    async def assign(self, *, pool: str, user: str | None = None, role: Any = None) -> Host:
        for host in self.world.hosts.values():
            if host.pool == pool and host.access.admits(user or "", role):
                return host
        raise NotFound(f"no host in the pool {pool}")


class FakeGateway(Everybody):
    async def endpoint(self) -> GatewayEndpoint:
        self.world.check("Gateway.endpoint")
        return GatewayEndpoint(address="192.0.2.1", port=3389, fingerprint="ab" * 32)

    async def terminate(self, *, session: str) -> None:
        self.world.terminated.append(session)


class FakeAudit(Everybody):
    async def record(self, *, event: AuditEvent) -> None:
        self.world.check("Audit.record")
        self.world.audit.append(event)

    async def events(
        self, *, after: str | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[AuditEvent]:
        found = sorted(self.world.audit, key=lambda event: event.id, reverse=newest_first)
        return [event for event in found if after is None or (event.id < after) == newest_first][:limit]


class FakeBus(Everybody):
    async def read(self, topic: str, *, after: str = "$", wait_s: float = 1.0, limit: int = 100) -> list[Event]:
        if topic != "sessions":
            await asyncio.Event().wait()
        name, body = await self.world.events.get()
        return [Event(name, "1", body)]


def session_api(world: World, documents: SqliteDocuments, index: SearchIndex, **settings: Any) -> SessionApi:
    """A service in that world; not started."""
    fast = {"owner_identity": OWNER, "catch_up_s": 0.02, "heartbeat_s": 0.05}
    return SessionApi(
        SessionApiSettings(**{**fast, **settings}),
        pipeline=cast(Pipeline, FakePipeline(world)),
        anchoring=cast(Anchoring, FakeAnchoring(world)),
        bodies=cast(DataChain, FakeBodies(world)),
        storage=cast(Storage, FakeStorage(world)),
        log=cast(LogWriter, None),
        tickets=cast(Tickets, FakeTickets(world)),
        approvals=cast(Approvals, FakeApprovals(world)),
        accounts=cast(Accounts, FakeAccounts(world)),
        audit=cast(Audit, FakeAudit(world)),
        hosts=cast(Hosts, FakeHosts(world)),
        gateway=cast(Gateway, FakeGateway(world)),
        index=index,
        bus=cast(Bus, FakeBus(world)),
        documents=documents,
        clock=world.clock,
    )
