"""Where typed text is kept, and how far it has been read in each session."""

import structlog

from lucid.base.errors import Conflict, LucidError, NotFound
from lucid.ports.recording import Sealed, TypedText
from lucid.ports.stores import Bus, Documents, Json
from lucid.recording.lifecycle import SessionRecord
from lucid.services.session_pipeline.store import TOPIC

TYPED_TEXT = "typed_text"
TYPING = "typing"
_PAGE = 500

_log = structlog.get_logger()


class TypedStore:
    """Text as documents, one a segment in which any was typed, in the clear. The state of reading is one document a
    session, encrypted, until the session is proven: what it was before and behind the segment read last, since a crash
    can have that one sealed again."""

    def __init__(self, documents: Documents, bus: Bus) -> None:
        self._documents = documents
        self._bus = bus

    async def state(self, session: str, segment: int) -> str:
        """What to go on from when `segment` is read; empty for the first."""
        try:
            body = (await self._documents.get(TYPING, session)).body
        except NotFound:
            return ""
        state: str = body["before" if body["segment"] == segment else "behind"]
        return state

    async def keep(self, record: SessionRecord, segment: int, before: str, sealed: Sealed) -> None:
        """Keep what was read in a segment from the state `before`. Doing so twice is no error."""
        if sealed.lines:
            text = TypedText(
                id=f"{record.id}-{segment:012d}",
                session=record.id,
                user=record.user,
                host=record.host,
                opened=record.opened,
                segment=segment,
                layout=sealed.layout,
                lines=sealed.lines,
            )
            try:
                await self._documents.insert(TYPED_TEXT, text.id, text.model_dump(mode="json"))
            except Conflict:
                _log.debug("typed text is kept already", session=record.id, segment=segment)
            await self._tell(record, text.id)
        await self._put_state(record.id, {"segment": segment, "before": before, "behind": sealed.typing or ""})

    async def finish(self, session: str) -> None:
        """No segment follows: the state is not needed any more."""
        await self._documents.delete(TYPING, session)

    async def find(
        self, session: str | None, *, after: str | None = None, newest_first: bool = False, limit: int = _PAGE
    ) -> list[TypedText]:
        """Text by id, of one session or of all."""
        where = None if session is None else {"session": session}
        found = await self._documents.find(TYPED_TEXT, where, after=after, newest_first=newest_first, limit=limit)
        return [TypedText.model_validate(stored.body) for stored in found]

    async def forget(self, session: str) -> list[str]:
        """Delete the session's text and state; the ids of the text."""
        forgotten: list[str] = []
        await self.finish(session)
        while page := await self._documents.find(TYPED_TEXT, {"session": session}, limit=_PAGE):
            for stored in page:
                await self._documents.delete(TYPED_TEXT, stored.id)
            forgotten += [stored.id for stored in page]
        return forgotten

    async def _put_state(self, session: str, body: Json) -> None:
        try:
            version = (await self._documents.get(TYPING, session)).version
        except NotFound:
            await self._documents.insert(TYPING, session, body)
        else:
            await self._documents.replace(TYPING, session, body, version=version)

    async def _tell(self, record: SessionRecord, text: str) -> None:
        try:
            await self._bus.publish(TOPIC, {"session": record.id, "state": str(record.state), "typed": text})
        except LucidError as error:
            _log.warning("event lost", session=record.id, error=error.detail)
