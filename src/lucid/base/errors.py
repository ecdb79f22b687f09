"""The errors that cross a boundary between services, each with one HTTP status and one slug.

The runtime turns them into RFC 9457 problem documents and the HTTP driver turns those back into the
same class, so a caller cannot tell whether a service runs in its own process or in another.
"""

from typing import ClassVar


class LucidError(Exception):
    """Base of all expected failures. `detail` is one sentence for a person; it never holds a secret.

    `slug` identifies the class on the wire (`urn:lucid:error:SLUG`), `status` is its HTTP status.
    """

    slug: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, field: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.retry_after_s = retry_after_s


class InvalidInput(LucidError):
    """A value given by a caller is not what was expected; `field` names it."""

    slug, status, title = "invalid-input", 400, "Invalid input"


class Unauthenticated(LucidError):
    """No valid credential: a missing, wrong, expired or used token or ticket."""

    slug, status, title = "unauthenticated", 401, "Not authenticated"


class Forbidden(LucidError):
    """A valid credential that does not allow this."""

    slug, status, title = "forbidden", 403, "Not allowed"


class NotFound(LucidError):
    """The thing named does not exist."""

    slug, status, title = "not-found", 404, "Not found"


class Conflict(LucidError):
    """The thing exists already or has changed since it was read."""

    slug, status, title = "conflict", 409, "Conflict"


class TooManyRequests(LucidError):
    """A limit was reached; `retry_after_s` says when to try again."""

    slug, status, title = "too-many-requests", 429, "Too many requests"


class Corrupted(LucidError):
    """Stored bytes are not what their digest, tag or signature says."""

    slug, status, title = "corrupted", 500, "Stored data is corrupted"


class Unavailable(LucidError):
    """A store or service does not answer in time; trying again later may help."""

    slug, status, title = "unavailable", 503, "Unavailable"


class StorageFull(LucidError):
    """The disk or a quota is full."""

    slug, status, title = "storage-full", 507, "Storage is full"


class RecorderFailed(LucidError):
    """Frames could not be made durable: the desktop session must end."""

    slug, status, title = "recorder-failed", 503, "Recording failed"


ERRORS: dict[str, type[LucidError]] = {
    c.slug: c
    for c in (
        LucidError,
        InvalidInput,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        TooManyRequests,
        Corrupted,
        Unavailable,
        StorageFull,
        RecorderFailed,
    )
}
