"""What was decided about recordings, as documents: one a session, made at the first decision."""

from collections.abc import Callable, Sequence

from lucid.base.errors import Conflict, NotFound
from lucid.base.ids import SessionId
from lucid.model.kept import Kept
from lucid.ports.stores import Documents

KEPT = "kept_recordings"
_PAGE = 200


class Memory:
    """Decisions by session. A change is made to the version that was looked at, or again to the newer one."""

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

    async def change(self, session: SessionId, change: Callable[[Kept], Kept]) -> tuple[Kept, Kept]:
        """Replace what was decided by what `change` makes of it, which may be called more than once. Returns what was
        decided before and after."""
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
                if stored is None:
                    await self._documents.insert(KEPT, session, _body(after))
                else:
                    await self._documents.replace(KEPT, session, _body(after), version=stored.version)
            except Conflict:
                continue
            return before, after

    async def deleting(self) -> list[SessionId]:
        """Sessions whose deletion was begun and is not complete."""
        found = await self._documents.find(KEPT, {"deleting": True}, limit=_PAGE)
        return [stored.id for stored in found]


def _body(kept: Kept) -> dict[str, object]:
    deleting = kept.deletion is not None and not kept.deletion.complete
    return {"session": kept.session, "deleting": deleting, "kept": kept.model_dump(mode="json")}
