"""The port Registry over Consul's HTTP API, by the py-consul client."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from consul import Check
from consul.aio import Consul
from consul.exceptions import BadRequest, ClientError, ConsulException

from lucid.base.errors import InvalidInput, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.ports.registry import Healthy, Instance

T = TypeVar("T")

ANSWER_LIMIT_S = 5.0
"""How long a call may take, beyond the time that a blocking query waits (and Consul's jitter of a sixteenth)."""

FORGET_AFTER_S = 60
"""An instance that stays critical this long is removed: the least that Consul allows."""

_META_VERSION = "version"


class ConsulRegistry:
    """The registry at `url`. `token` is Consul's ACL token. Connects at the first call."""

    def __init__(self, url: str, token: Secret) -> None:
        self._url = url
        self._token = token
        self._consul: Consul | None = None

    def _client(self) -> Consul:
        """The client, made within the running event loop, as aiohttp wants it."""
        if self._consul is None:
            where = urlsplit(self._url)
            secure = where.scheme == "https"
            self._consul = Consul(
                host=where.hostname or "127.0.0.1",
                port=where.port or (443 if secure else 80),
                scheme=where.scheme,
                verify=secure,
                token=self._token.reveal() or None,
            )
        return self._consul

    async def _ask(self, call: Awaitable[T], limit_s: float = ANSWER_LIMIT_S) -> T:
        try:
            async with asyncio.timeout(limit_s):
                return await call
        except TimeoutError:
            raise Unavailable(f"{self._url}: no answer within {limit_s:g} s") from None
        except (BadRequest, ClientError) as error:
            raise InvalidInput(f"{self._url}: {error}") from None
        except (ConsulException, aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"{self._url}: {str(error) or type(error).__name__}") from None

    async def register(self, *, instance: Instance, ttl_s: float) -> None:
        check = Check.ttl(f"{ttl_s:g}s") | {"DeregisterCriticalServiceAfter": f"{FORGET_AFTER_S}s"}
        await self._ask(
            self._client().agent.service.register(
                instance.service,
                service_id=instance.id,
                address=instance.address,
                port=instance.port,
                meta={_META_VERSION: instance.version},
                check=check,
            )
        )
        await self.renew(id=instance.id)  # a TTL check begins as critical

    async def renew(self, *, id: str) -> None:
        # Consul answers 404 for a check that it does not know, which this client turns into False.
        if not await self._ask(self._client().agent.check.ttl_pass(f"service:{id}")):
            raise NotFound(f"{self._url}: instance {id} is not registered")

    async def deregister(self, *, id: str) -> None:
        await self._ask(self._client().agent.service.deregister(id))

    async def healthy(self, *, service: str, index: int = 0, wait_s: float = 0.0) -> Healthy:
        waiting = {"index": index, "wait": f"{int(wait_s * 1000)}ms"} if index else {}
        limit_s = ANSWER_LIMIT_S + wait_s * 17 / 16
        found = self._client().health.service(service, passing=True, **waiting)
        new_index, nodes = await self._ask(found, limit_s)
        return Healthy(index=int(new_index), instances=tuple(_instance(node) for node in nodes))

    async def services(self) -> list[str]:
        _, names = await self._ask(self._client().catalog.services())
        return sorted(names)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._consul is not None:
            await self._consul.close()
            self._consul = None


def _instance(node: dict[str, Any]) -> Instance:
    """An instance of Consul's answer; without an address of its own it has that of its node."""
    service = node["Service"]
    return Instance(
        service=service["Service"],
        id=service["ID"],
        address=service["Address"] or node["Node"]["Address"],
        port=service["Port"],
        version=(service.get("Meta") or {}).get(_META_VERSION, ""),
    )
