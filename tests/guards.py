"""Service identities for tests: a caller with a key, and the guard of a service that knows it."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid.base.clock import Clock, SystemClock
from lucid.base.secret import Secret
from lucid.base.settings import Settings
from lucid.catalog.types import Service
from lucid.crypto.identity import ServiceSigner, ServiceVerifier
from lucid.crypto.jwt import TokenKey
from lucid.runtime.auth import ServiceGuard

METRICS_TOKEN = Secret("for-prometheus")


class CallerOf:
    """A service with a key of its own; two of the same name have different keys."""

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self.name = name
        self.key = TokenKey.of(Ed25519PrivateKey.generate())
        self.signer = ServiceSigner(name, self.key, clock or SystemClock())
        self.token = self.signer.token


def service(
    name: str, *, needs: tuple[type, ...] = (), provides: tuple[type, ...] = (), api: tuple[str, ...] = ()
) -> Service:
    """A catalog literal."""
    return Service(
        name=name,
        summary="a service of the tests",
        phase=1,
        port=1,
        embedded_port=1,
        entry="",
        settings=Settings,
        needs=needs,
        provides=provides,
        api=api,
    )


def guard(asked: Service, *callers: CallerOf, needs: type, clock: Clock | None = None) -> ServiceGuard:
    """The guard of `asked`, which knows the keys of the callers, all of which need `needs`."""
    peers = {caller.name: caller.key.private.public_key() for caller in callers}
    catalog = (asked, *(service(caller.name, needs=(needs,)) for caller in callers))
    return ServiceGuard(asked, ServiceVerifier(asked.name, peers, clock or SystemClock()), catalog, METRICS_TOKEN)
