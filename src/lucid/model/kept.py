"""What was decided about a recording after its end: a hold, shares, its deletion (docs/format.md section 10)."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.canonical import CanonicalValue
from lucid.model.manifest import WrappedKey


class Hold(Value):
    """The recording must not be deleted until the hold is lifted."""

    by: Name
    time: Time
    reason: str = Field(default="", max_length=500)


class Share(WrappedKey):
    """The data key, wrapped to a further recipient."""

    by: Name
    time: Time


class Deletion(Value):
    """The recording is deleted; `complete` once its chunks and its manifest's body are gone."""

    by: Name
    time: Time
    reason: str = Field(default="", max_length=500)
    complete: bool = False


class Kept(Value):
    """All that was decided about one recording."""

    session: SessionId
    hold: Hold | None = None
    shares: tuple[Share, ...] = ()
    deletion: Deletion | None = None


class Shares(CanonicalValue):
    """The file that goes with a bundle: keys of recipients that were added after the manifest was written."""

    format: Literal["lucid-shares/1"] = "lucid-shares/1"
    session: SessionId
    keys: Annotated[tuple[WrappedKey, ...], FailFast()]


def shares_of(kept: Kept) -> Shares | None:
    """The file of a recording's shares; None when it has none."""
    if not kept.shares:
        return None
    keys = tuple(WrappedKey(recipient=share.recipient, wrapped=share.wrapped) for share in kept.shares)
    return Shares(session=kept.session, keys=keys)


def gone(deletion: Deletion) -> str:
    """What is said to somebody who asks for a deleted recording."""
    return f"the recording was deleted on {deletion.time}; the log still proves that it existed"
