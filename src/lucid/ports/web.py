"""Requests to servers outside of the installation. Bound by the runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lucid.base.secret import Secret


@dataclass(frozen=True)
class WebAnswer:
    """An answer with its whole body."""

    status: int
    body: bytes


class Web(Protocol):
    """Each request is limited in time and in the size of its answer. Redirections are answers, cookies and proxies of
    the environment are not used."""

    async def get(self, *, url: str, bearer: Secret | None = None) -> WebAnswer:
        """Raises Unavailable when there is no whole answer in time."""
        ...

    async def post_form(
        self, *, url: str, fields: Mapping[str, str], login: tuple[str, Secret] | None = None
    ) -> WebAnswer:
        """Send a form, with name and password for basic authentication (RFC 7617). Raises Unavailable as `get`
        does."""
        ...
