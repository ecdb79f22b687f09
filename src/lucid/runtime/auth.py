"""Who may call a service: those whose catalog literal says that they need it, by their signed identity."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import HTTPConnection

from lucid.base.errors import Forbidden, Unauthenticated
from lucid.base.secret import Secret
from lucid.catalog.keys import OPERATOR
from lucid.catalog.types import Service
from lucid.crypto.identity import GATEWAY, CallerIdentity, ServiceVerifier
from lucid.ports.apicatalog import PRINCIPAL_KEY

Check = Callable[[HTTPConnection], Awaitable[None]]
"""A FastAPI dependency that raises Unauthenticated or Forbidden."""


class ServiceGuard:
    """Checks the requests to one service. `services` are the whole catalog: it says who needs what."""

    def __init__(
        self, service: Service, verifier: ServiceVerifier, services: Sequence[Service], metrics_token: Secret
    ) -> None:
        self._service = service
        self._verifier = verifier
        self._services = services
        self._metrics_token = metrics_token

    def rpc(self, port: type) -> Check:
        """For those that need the port, and the operator."""
        allowed = {service.name for service in self._services if port in service.needs} | {OPERATOR}

        async def check(request: HTTPConnection) -> None:
            if (caller := self._caller(request)).service not in allowed:
                raise Forbidden(f"{caller.service} does not need {port.__name__}")

        return check

    async def api(self, request: HTTPConnection) -> None:
        """For the api-gateway, which says for whom it asks."""
        caller = self._caller(request)
        if caller.service != GATEWAY:
            raise Forbidden(f"the public API is reached through {GATEWAY}")
        request.scope[PRINCIPAL_KEY] = caller.principal

    async def service(self, request: HTTPConnection) -> None:
        """For every service of the installation."""
        self._caller(request)

    async def metrics(self, request: HTTPConnection) -> None:
        """For every service, and who has the token for metrics."""
        if Secret(_bearer(request)) != self._metrics_token:  # Secret compares in constant time
            self._caller(request)

    def _caller(self, request: HTTPConnection) -> CallerIdentity:
        return self._verifier.caller(_bearer(request))


def _bearer(request: HTTPConnection) -> str:
    """The token of RFC 6750. Raises Unauthenticated when there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        raise Unauthenticated("a valid bearer token is required")
    return value.strip()
