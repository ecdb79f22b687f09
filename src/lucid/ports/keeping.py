"""Holds, shares and deletions of recordings, for the operator; people do the same through the API."""

from typing import Protocol

from lucid.base.ids import Name, SessionId
from lucid.model.kept import Kept, Share


class Keeping(Protocol):
    """What is decided about recordings after their end. Offered by session-api. `actor` is who does it; None: the
    operator. All raise NotFound for an unknown session."""

    async def kept(self, *, session: SessionId) -> Kept: ...

    async def hold(self, *, session: SessionId, reason: str = "", actor: Name | None = None) -> Kept:
        """Forbid deletion until the hold is lifted. Raises Conflict for a recording that is deleted."""
        ...

    async def lift(self, *, session: SessionId, actor: Name | None = None) -> Kept:
        """Lift the hold; without one nothing happens."""
        ...

    async def share(
        self, *, session: SessionId, recipient: str, wrapped: str | None = None, actor: Name | None = None
    ) -> Share:
        """Add a recipient (age1…). `wrapped` is the data key as an age file to it, in base64; without it the platform
        wraps the key itself, for which it needs the owner's identity. The same recipient again returns its share.
        Raises Conflict before the recording is proven, when it is deleted, and when the platform cannot open it;
        InvalidInput for a recipient or a wrapped key that is none."""
        ...

    async def delete(self, *, session: SessionId, reason: str = "", actor: Name | None = None) -> Kept:
        """Delete the recording: the act is in the log, then its chunks and its manifest are destroyed, after a crash
        as well. Doing so twice is no error. Raises Conflict under a hold, before the session is proven or failed, and
        before the least time of keeping is over."""
        ...
