"""What was decided about recordings, as documents: one a session, made at the first decision."""

from collections.abc import Callable, Sequence

from lucid.access.acts import Acts
from lucid.base.errors import Conflict, NotFound
from lucid.base.ids import SessionId
from lucid.model.kept import Kept
from lucid.ports.access import AuditEvent
from lucid.ports.stores import Documents, Json, Stored

KEPT = "kept_recordings"
_PAGE = 200


class Memory:
    """Decisions by session. A change is made to the version that was looked at, or again to the newer one. The acts of
    a change stand in its document (`owed`) until they are in the audit trail, whatever fails in between."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def get(self, session: SessionId) -> Kept:
        """What was decided; nothing, if there was no decision."""
        try:
            return Kept.model_validate((await self._documents.get(KEPT, session)).body["kept"])
        except NotFound:
            return Kept(session=session)

    async def of(self, sessions: Sequence[SessionId]) -> dict[SessionId, Kept]:
        """The decisions about those of the sessions that have any."""
        if not sessions:
            return {}
        found = await self._documents.find(KEPT, {"session": list(sessions)}, limit=len(sessions))
        return {stored.id: Kept.model_validate(stored.body["kept"]) for stored in found}

    async def change(self, session: SessionId, change: Callable[[Kept], Kept], *acts: AuditEvent) -> tuple[Kept, Kept]:
        """Replace what was decided by what `change` makes of it, which may be called more than once; `acts` are owed if
        that is something else. Returns what was decided before and after."""
        while True:
            try:
                stored = await self._documents.get(KEPT, session)
            except NotFound:
                stored = None
            before = Kept(session=session) if stored is None else Kept.model_validate(stored.body["kept"])
            after = change(before)
            if after == before:
                return before, after
            try:
                owed = [*_owed(stored), *(act.model_dump(mode="json") for act in acts)]
                if stored is None:
                    await self._documents.insert(KEPT, session, _body(after, owed))
                else:
                    await self._documents.replace(KEPT, session, _body(after, owed), version=stored.version)
            except Conflict:
                continue
            return before, after

    async def settle(self, session: SessionId, acts: Acts) -> None:
        """Record what is owed, and strike it out. A crash in between records it again, under the same ids."""
        while True:
            try:
                stored = await self._documents.get(KEPT, session)
            except NotFound:
                return
            if not (owed := _owed(stored)):
                return
            for act in owed:
                await acts.record(AuditEvent.model_validate(act))
            body = _body(Kept.model_validate(stored.body["kept"]), [])
            try:
                await self._documents.replace(KEPT, session, body, version=stored.version)
            except Conflict:
                continue
            return

    async def owing(self) -> list[SessionId]:
        """Sessions of which acts are owed."""
        found = await self._documents.find(KEPT, {"owing": True}, limit=_PAGE)
        return [stored.id for stored in found]

    async def deleting(self) -> list[SessionId]:
        """Sessions whose deletion was begun and is not complete."""
        found = await self._documents.find(KEPT, {"deleting": True}, limit=_PAGE)
        return [stored.id for stored in found]


def _owed(stored: Stored | None) -> list[Json]:
    return list(stored.body.get("owed", ())) if stored is not None else []


def _body(kept: Kept, owed: list[Json]) -> Json:
    """The fields beside `kept` are to find it by."""
    deleting = kept.deletion is not None and not kept.deletion.complete
    found_by = {"session": kept.session, "deleting": deleting, "owing": bool(owed)}
    return {**found_by, "owed": owed, "kept": kept.model_dump(mode="json")}
