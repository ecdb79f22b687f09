"""Holds, shares, and deletions of recordings (port Keeping)."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from lucid.access.acts import Acts, Origin
from lucid.base.clock import Clock, shift_time
from lucid.base.errors import Conflict, InvalidInput, LucidError, NotFound
from lucid.base.ids import Name, SessionId
from lucid.base.secret import Secret
from lucid.base.tasks import Tasks
from lucid.crypto import age
from lucid.model.kept import Deletion, Hold, Kept, Share
from lucid.model.manifest import Manifest
from lucid.model.session import Session, SessionState
from lucid.ports.access import AuditEvent
from lucid.ports.log import Anchoring, DataChain
from lucid.ports.recording import Pipeline, Storage
from lucid.recording.reading import data_key_of
from lucid.services.session_api.memory import Memory
from lucid.services.session_api.settings import SessionApiSettings

T = TypeVar("T")

RETRY_S = 2.0
SERVICE = "session-api"
_AGE_FILE = b"age-encryption.org/v1\n"
_DELETED = "the recording is deleted"

_log = structlog.get_logger()


class RecordingKeeper:
    """Implements the port Keeping. `changed` is called after each decision, with the session; `forget_typed`
    takes what was typed in it out of the search index."""

    def __init__(
        self,
        settings: SessionApiSettings,
        *,
        memory: Memory,
        pipeline: Pipeline,
        anchoring: Anchoring,
        bodies: DataChain,
        storage: Storage,
        acts: Acts,
        clock: Clock,
        changed: Callable[[SessionId], Awaitable[None]],
        forget_typed: Callable[[SessionId], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._pipeline = pipeline
        self._anchoring = anchoring
        self._bodies = bodies
        self._storage = storage
        self._acts = acts
        self._clock = clock
        self._changed = changed
        self._forget_typed = forget_typed
        self._tasks = Tasks(SERVICE)
        self._destroying: dict[SessionId, asyncio.Task[None]] = {}
        self._owing = asyncio.Event()

    async def start(self) -> None:
        """Go on with the deletions that a crash broke off, and record the acts that it kept from the audit trail."""
        self._tasks.spawn(self._resume(), name="resume deletions")
        self._tasks.spawn(self._settle_late(), name="settle")

    async def stop(self) -> None:
        await self._tasks.close()

    def check(self) -> None:
        """Raises the failure of a background task, if there was one."""
        self._tasks.check()

    async def kept(self, *, session: SessionId) -> Kept:
        await self._pipeline.get(session=session)
        return await self._memory.get(session)

    async def hold(self, *, session: SessionId, reason: str = "", actor: Name | None = None) -> Kept:
        await self._pipeline.get(session=session)
        origin = _origin(actor)
        hold = Hold(by=origin.actor, time=self._clock.now(), reason=reason)

        def held(kept: Kept) -> Kept:
            if kept.deletion is not None:
                raise Conflict(_DELETED)
            if kept.hold is not None and kept.hold.reason == reason:
                return kept
            return kept.model_copy(update={"hold": hold})

        act = self._acts.event("recording.held", origin, accountable=True, session=session, reason=reason)
        return await self._decide(session, held, act)

    async def lift(self, *, session: SessionId, actor: Name | None = None) -> Kept:
        await self._pipeline.get(session=session)
        act = self._acts.event("recording.released", _origin(actor), accountable=True, session=session)
        return await self._decide(session, lambda kept: kept.model_copy(update={"hold": None}), act)

    async def _decide(self, session: SessionId, change: Callable[[Kept], Kept], act: AuditEvent) -> Kept:
        """Make a change and account for it: later, while the audit trail is away, since the decision itself holds."""
        before, kept = await self._memory.change(session, change, act)
        if kept != before:
            await self._changed(session)
        try:
            await self._memory.settle(session, self._acts)
        except LucidError as error:
            _log.warning("an act waits for the audit trail", session=session, error=error.detail)
            self._owing.set()
        return kept

    async def _settle_late(self) -> None:
        while True:
            self._owing.clear()
            while sessions := await _until_done(self._memory.owing):
                for session in sessions:
                    await _until_done(lambda session=session: self._memory.settle(session, self._acts))  # type: ignore[misc]
            await self._owing.wait()

    async def share(
        self, *, session: SessionId, recipient: str, wrapped: str | None = None, actor: Name | None = None
    ) -> Share:
        found = await self._pipeline.get(session=session)
        if found.state is not SessionState.PROVEN or found.manifest is None:
            raise Conflict("a recording can be shared once it is proven")
        if (known := _share(await self._memory.get(session), recipient)) is not None:
            return known
        origin = _origin(actor)
        key = await self._wrap(found.manifest, recipient) if wrapped is None else _checked(recipient, wrapped)
        share = Share(recipient=recipient, wrapped=key, by=origin.actor, time=self._clock.now())

        def shared(kept: Kept) -> Kept:
            if kept.deletion is not None:
                raise Conflict(_DELETED)
            return kept if _share(kept, recipient) else kept.model_copy(update={"shares": (*kept.shares, share)})

        # In the log before anybody can have the key: nobody can open a recording without a trace of who let them.
        await self._anchoring.act(
            type="recording.shared", subject={"actor": origin.actor, "recipient": recipient}, session=session
        )
        _, kept = await self._memory.change(session, shared)
        await self._acts.done("recording.shared", origin, session=session, recipient=recipient)
        await self._changed(session)
        return _share(kept, recipient) or share

    async def _wrap(self, manifest: str, recipient: str) -> str:
        identity = self._settings.owner_identity
        if not identity.reveal():
            raise Conflict("the platform cannot open its recordings: wrap the key for the recipient, as `wrapped`")
        body = await self._body(manifest)
        return await asyncio.to_thread(lambda: _rewrap(body, identity, recipient))

    async def _body(self, digest: str) -> bytes:
        try:
            return await self._bodies.get(digest=digest)
        except NotFound:
            raise Conflict(_DELETED) from None

    async def delete(self, *, session: SessionId, reason: str = "", actor: Name | None = None) -> Kept:
        found = await self._pipeline.get(session=session)
        self._check_age(found)
        origin = _origin(actor)
        deletion = Deletion(by=origin.actor, time=self._clock.now(), reason=reason)

        def deleted(kept: Kept) -> Kept:
            if kept.deletion is not None:
                return kept
            if kept.hold is not None:
                raise Conflict(f"the recording is held by {kept.hold.by}")
            return kept.model_copy(update={"deletion": deletion})

        _, kept = await self._memory.change(session, deleted)
        if kept.deletion is not None and kept.deletion.complete:
            return kept
        destroying = self._destroying.get(session) or self._spawn(session)
        # A long recording takes longer than a request may; the deletion goes on.
        await asyncio.wait({destroying}, timeout=self._settings.delete_wait_s)
        return await self._memory.get(session)

    def _check_age(self, session: Session) -> None:
        if session.state not in (SessionState.PROVEN, SessionState.FAILED):
            raise Conflict(f"the session is {session.state}: only a proven one can be deleted")
        until = shift_time(session.closed or session.opened, self._settings.min_retention_s)
        if self._clock.now() < until:
            raise Conflict(f"the recording has to be kept until {until}")

    def _spawn(self, session: SessionId) -> asyncio.Task[None]:
        task = self._tasks.spawn(self._destroy(session), name=f"delete {session}")
        self._destroying[session] = task
        task.add_done_callback(lambda _: self._destroying.pop(session, None))
        return task

    async def _destroy(self, session: SessionId) -> None:
        """The entry in the log first, then what it says. A crash between repeats it all, the entry as well."""
        found = await _until_done(lambda: self._pipeline.get(session=session))
        deletion = (await _until_done(lambda: self._memory.get(session))).deletion
        assert deletion is not None
        subject = {"actor": deletion.by, "reason": deletion.reason, "decided": deletion.time}
        entry = await _until_done(
            lambda: self._anchoring.act(type="recording.deleted", subject=subject, session=session)
        )
        for chunk in found.chunks:
            await _until_done(lambda digest=chunk.digest: self._storage.delete(digest=digest))  # type: ignore[misc]
        await _until_done(lambda: self._pipeline.forget_typed_text(session=session))
        await _until_done(lambda: self._forget_typed(session))
        if (manifest := found.manifest) is not None:
            await _until_done(lambda: self._bodies.delete(digest=manifest))
        deleted = self._acts.event(
            "recording.deleted", Origin(deletion.by), session=session, reason=deletion.reason, entry=entry.body
        )
        await _until_done(lambda: self._acts.record(deleted))
        gone = {"deletion": deletion.model_copy(update={"complete": True}), "shares": ()}
        await _until_done(lambda: self._memory.change(session, lambda kept: kept.model_copy(update=gone)))
        _log.info("recording deleted", session=session, chunks=len(found.chunks))
        await self._changed(session)

    async def _resume(self) -> None:
        while sessions := await _until_done(self._memory.deleting):
            for session in sessions:
                _log.info("deletion resumed", session=session)
                await (self._destroying.get(session) or self._spawn(session))


async def _until_done(step: Callable[[], Awaitable[T]]) -> T:
    """What `step`, of a deletion or of accounting for an act, returns once it succeeds."""
    while True:
        try:
            return await step()
        except LucidError as error:
            _log.warning("a step waits", error=error.detail, retry_s=RETRY_S)
            await asyncio.sleep(RETRY_S)


def _origin(actor: Name | None) -> Origin:
    return Origin() if actor is None else Origin(actor)


def _share(kept: Kept, recipient: str) -> Share | None:
    return next((share for share in kept.shares if share.recipient == recipient), None)


def _rewrap(manifest: bytes, identity: Secret, recipient: str) -> str:
    return age.wrap(data_key_of(Manifest.from_bytes(manifest), identity), recipient)


def _checked(recipient: str, wrapped: str) -> str:
    """`wrapped`, if it can be what it should be: only its recipient can see what it holds."""
    age.wrap(b"", recipient)
    try:
        data = base64.b64decode(wrapped, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data.startswith(_AGE_FILE):
        raise InvalidInput("wrapped: expected the base64 of an age file", field="wrapped")
    return wrapped
