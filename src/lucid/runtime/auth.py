"""Who may call a service: those that know the installation's service token."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from lucid.base.errors import Unauthenticated
from lucid.base.secret import Secret


def require_token(token: Secret) -> Callable[[Request], Awaitable[None]]:
    """A FastAPI dependency that raises Unauthenticated unless the request carries `token` (RFC 6750).
    Raises ValueError for an empty token, which everybody would know."""
    if not token.reveal():
        raise ValueError("an empty service token would let everybody in")

    async def check(request: Request) -> None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or Secret(value.strip()) != token:  # Secret compares in constant time
            raise Unauthenticated("a valid bearer token is required")

    return check
