"""Registrations are signed: who may register need not be who it says it is.

Every service has the token with which the registry lets it in, so that token cannot tell services apart. Each signs its
address with its identity key instead, and callers take no notice of an instance that its service did not sign.
"""

import structlog

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import LucidError, NotFound, Unauthenticated
from lucid.crypto import jwt
from lucid.ports.registry import Healthy, Instance, Registry
from lucid.runtime.keyring import Keyring

AUDIENCE = "registry"

LIFE_S = 86_400
"""For how long a registration is believed: an address is given to another container one day."""

_log = structlog.get_logger()


class SignedRegistry:
    """The port Registry over another one. `keyring` has the identities of the services that register here."""

    def __init__(self, registry: Registry, keyring: Keyring, clock: Clock) -> None:
        self._registry = registry
        self._keyring = keyring
        self._peers = {name: {jwt.thumbprint(key): key} for name, key in keyring.peers().items()}
        self._clock = clock

    async def register(self, *, instance: Instance, ttl_s: float) -> None:
        """Raises NotFound when the service's identity is not in the keyring."""
        claims = {
            "iss": instance.service,
            "sub": instance.id,
            "aud": AUDIENCE,
            "url": instance.url,
            "iat": 0,  # a clock that is set back must not cut services off
            "exp": int(self._seconds()) + LIFE_S,
        }
        proof = self._keyring.identity(instance.service).sign(claims).reveal()
        await self._registry.register(instance=instance.model_copy(update={"proof": proof}), ttl_s=ttl_s)

    async def renew(self, *, id: str) -> None:
        await self._registry.renew(id=id)

    async def deregister(self, *, id: str) -> None:
        await self._registry.deregister(id=id)

    async def healthy(self, *, service: str, index: int = 0, wait_s: float = 0.0) -> Healthy:
        found = await self._registry.healthy(service=service, index=index, wait_s=wait_s)
        return Healthy(index=found.index, instances=tuple(filter(None, map(self._believed, found.instances))))

    async def services(self) -> list[str]:
        return await self._registry.services()

    def _believed(self, instance: Instance) -> Instance | None:
        """The instance without its proof, if that holds."""
        try:
            if (keys := self._peers.get(instance.service)) is None:
                raise NotFound(f"{instance.service} has no identity here")
            claims = jwt.verify(instance.proof, keys, issuer=instance.service, audience=AUDIENCE, now=self._seconds())
            if (claims["sub"], claims.get("url")) != (instance.id, instance.url):
                raise Unauthenticated("the registration is of another instance")
        except LucidError as error:
            _log.warning("an instance is not believed", service=instance.service, url=instance.url, detail=error.detail)
            return None
        return instance.model_copy(update={"proof": ""})

    def _seconds(self) -> float:
        return parse_time(self._clock.now()).timestamp()
