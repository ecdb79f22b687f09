"""A session's way from opened to proven, as states and the only steps between them.

OPENING -> RECORDING -> SEALING -> ANCHORING -> PROVEN
OPENING -> FAILED               no recording was ever begun
RECORDING -> ANCHORING          the journal was found damaged while the recording went on
"""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.value import Value
from lucid.model.canonical import Digest
from lucid.model.chunk import ChunkRecord
from lucid.model.policy import Policy
from lucid.model.session import EndReason, Session, SessionEnd, SessionState
from lucid.ports.recording import RecordingStart

DETAIL_LENGTH = 500
"""Most characters of an end's detail and of an error that is shown."""

_NEXT = {
    SessionState.OPENING: {SessionState.RECORDING, SessionState.FAILED},
    SessionState.RECORDING: {SessionState.SEALING, SessionState.ANCHORING},
    SessionState.SEALING: {SessionState.ANCHORING},
    SessionState.ANCHORING: {SessionState.PROVEN},
    SessionState.PROVEN: set[SessionState](),
    # A recorder that answered too late may still show a number used up: the opening is then completed.
    SessionState.FAILED: {SessionState.RECORDING},
}


class Sealing(Value):
    """The sealing that was begun last. It is stored before it begins, so that no pair repeats (section 3)."""

    index: int = Field(ge=0)
    attempt: int = Field(ge=0)


class SessionRecord(Session):
    """A session as its owner stores it: what everybody sees, and what it takes to go on after a crash.
    Each step returns a new record; the chunks are stored one by one, beside it."""

    rules: Policy
    closes_by: Time
    start: RecordingStart | None = None
    sealing: Sealing | None = None

    @property
    def begun(self) -> RecordingStart:
        """The recording's number and keys. Raises ValueError before there are any and once the session is proven."""
        if self.start is None:
            raise ValueError(f"session {self.id} has no recording")
        return self.start

    def _with(self, **changes: Any) -> Self:
        state = changes.get("state", self.state)
        if state is not self.state and state not in _NEXT[self.state]:
            raise ValueError(f"session {self.id}: no step from {self.state} to {state}")
        return self.model_copy(update=changes)

    def numbered(self, start: RecordingStart) -> Self:
        """The recorder has given its number."""
        return self._with(start=start, recorder=start.recorder)

    def recording(self, opened_index: int) -> Self:
        """The opening is in the log."""
        return self._with(state=SessionState.RECORDING, opened_index=opened_index, error="")

    def failed(self, why: str) -> Self:
        """No recording was begun."""
        return self._with(state=SessionState.FAILED, error=why[:DETAIL_LENGTH])

    def begin_sealing(self, chunks: Sequence[ChunkRecord]) -> Self:
        """The next chunk is about to be sealed, for the first or a further time; `chunks` are those stored."""
        index, attempt = len(chunks), 0
        if self.sealing is not None and self.sealing.index == index:
            attempt = self.sealing.attempt + 1
        return self._with(sealing=Sealing(index=index, attempt=attempt), error="", **_totals(chunks))

    def ended(self, end: SessionEnd, at: str) -> Self:
        """The recording has ended; `at` is never before the opening."""
        return self._with(state=SessionState.SEALING, end=end, closed=max(self.opened, at))

    def corrupted(self, detail: str, at: str, chunks: Sequence[ChunkRecord]) -> Self:
        """The journal does not open any further: the chunk list ends here. That takes the place of the end that
        there was, if there was one."""
        was = f" (ended as {self.end.reason})" if self.end else ""
        return self._with(
            state=SessionState.ANCHORING,
            end=SessionEnd(reason=EndReason.STORE_CORRUPTED, detail=f"{detail}{was}"[:DETAIL_LENGTH]),
            closed=self.closed or max(self.opened, at),
            **_totals(chunks),
        )

    def sealed(self, chunks: Sequence[ChunkRecord]) -> Self:
        """All chunks are stored."""
        return self._with(state=SessionState.ANCHORING, error="", **_totals(chunks))

    def anchored(self, closed_index: int, manifest: Digest) -> Self:
        """The closing is in the log, though perhaps not yet under a checkpoint."""
        return self._with(closed_index=closed_index, manifest=manifest, error="")

    def proven(self) -> Self:
        """The proof bundle exists. The key that the platform could seal with is forgotten: from now on the recording
        opens for the manifest's recipients alone."""
        return self._with(state=SessionState.PROVEN, start=None, error="")

    def waiting(self, why: str) -> Self:
        """The session does not advance at the moment."""
        return self._with(error=why[:DETAIL_LENGTH])

    def public(self, chunks: Sequence[ChunkRecord] = ()) -> Session:
        """What everybody sees."""
        fields = {name: getattr(self, name) for name in Session.model_fields}
        return Session.model_construct(**fields | {"chunks": tuple(chunks)})


def _totals(chunks: Sequence[ChunkRecord]) -> dict[str, int]:
    return {
        "frames": sum(chunk.frames for chunk in chunks),
        "recorded_bytes": sum(chunk.length for chunk in chunks),
        "stored_bytes": sum(chunk.size for chunk in chunks),
    }
