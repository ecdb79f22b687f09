"""Sessions as the API shows them."""

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.canonical import Digest
from lucid.model.kept import Deletion, Hold, Kept
from lucid.model.session import RecorderNumber, Session, SessionEnd, SessionState

EXAMPLE_ID = "019a9c3e-6b1c-7000-8000-000000000001"


class SessionView(Value):
    """A session. `deleted` says since when its recording is gone, `held` that it must not be deleted."""

    id: SessionId = Field(examples=[EXAMPLE_ID])
    user: Name = Field(examples=["ada"])
    host: Name = Field(examples=["office"])
    state: SessionState
    opened: Time = Field(examples=["2026-11-22T21:42:00.000000Z"])
    closed: Time | None = Field(default=None, examples=["2026-11-22T21:44:10.113000Z"])
    end: SessionEnd | None = None
    frames: int = Field(ge=0, description="in the chunks stored so far")
    recorded_bytes: int = Field(ge=0, description="of the frames, before compression")
    stored_bytes: int = Field(ge=0, description="of the chunk files")
    manifest: Digest | None = Field(default=None, description="what the log commits to")
    held: bool = False
    deleted: Time | None = None


class SessionDetail(SessionView):
    """A session with all that is known of it."""

    policy: Digest
    recorder: RecorderNumber | None = None
    chunks: int = Field(ge=0, description="chunks stored so far")
    opened_index: int | None = Field(default=None, description="index of the opening entry in the log")
    closed_index: int | None = Field(default=None, description="index of the closing entry in the log")
    hold: Hold | None = None
    deletion: Deletion | None = None
    error: str = Field(default="", description="why the session does not advance at the moment")


def view_of(session: Session, kept: Kept) -> SessionView:
    """What a list shows."""
    return SessionView(**_fields(session, kept))


def detail_of(session: Session, kept: Kept) -> SessionDetail:
    """What is shown of one session alone."""
    return SessionDetail(
        **_fields(session, kept),
        policy=session.policy,
        recorder=session.recorder,
        chunks=len(session.chunks),
        opened_index=session.opened_index,
        closed_index=session.closed_index,
        hold=kept.hold,
        deletion=kept.deletion,
        error=session.error,
    )


def _fields(session: Session, kept: Kept) -> dict[str, object]:
    shared = {name: getattr(session, name) for name in SessionView.model_fields if name in Session.model_fields}
    return {**shared, "held": kept.hold is not None, "deleted": kept.deletion and kept.deletion.time}
