"""The port Registry over Consul's HTTP API, by the py-consul client."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import certifi
import httpx
import structlog
from consul import Check
from consul.exceptions import BadRequest, ConsulException
from pydantic import TypeAdapter, ValidationError

from lucid.base.errors import InvalidInput, NotFound, Unavailable
from lucid.base.ids import NAME_PATTERN, Name
from lucid.base.secret import Secret
from lucid.drivers.consul.client import Client
from lucid.ports.registry import Healthy, Instance

T = TypeVar("T")

ANSWER_LIMIT_S = 5.0
"""How long a call may take, beyond the time that a blocking query waits (and Consul's jitter of a sixteenth)."""

FORGET_AFTER_S = 60
"""An instance that stays critical this long is removed: the least that Consul allows."""

_META_VERSION, _META_PROOF = "version", "proof"
_UNKNOWN_CHECK = ("unknown check", "does not have associated ttl")
"""What agents before Consul 1.11 say, with status 500, of a check that is not there."""

_log = structlog.get_logger()
_nodes: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(list[dict[str, Any]])


class ConsulRegistry:
    """The registry at `url`, `http(s)://host:port`. `token` is Consul's ACL token. Connects at the first call; to be
    closed with `aclose()`."""

    def __init__(self, url: str, token: Secret | None) -> None:
        self._url = url
        self._token = token
        self._opening = asyncio.Lock()
        self._opened: Client | None = None

    async def _client(self) -> Client:
        async with self._opening:
            if self._opened is None:
                tls = await asyncio.to_thread(_tls) if self._url.startswith("https:") else None
                self._opened = Client(self._url, self._token, tls)
            return self._opened

    async def _ask(self, call: Callable[[Client], Awaitable[T]], limit_s: float = ANSWER_LIMIT_S) -> T:
        try:
            async with asyncio.timeout(limit_s):
                return await call(await self._client())
        except TimeoutError:
            raise Unavailable(f"{self._url}: no answer within {limit_s:g} s") from None
        except BadRequest as error:
            raise InvalidInput(f"{self._url}: {error}") from None
        except (ConsulException, httpx.HTTPError, OSError, ValueError, RecursionError) as error:
            raise Unavailable(f"{self._url}: {str(error) or type(error).__name__}") from None

    async def register(self, *, instance: Instance, ttl_s: float) -> None:
        passing = {"Status": "passing", "DeregisterCriticalServiceAfter": f"{FORGET_AFTER_S}s"}
        await self._ask(
            lambda consul: consul.agent.service.register(
                instance.service,
                service_id=instance.id,
                address=instance.address,
                port=instance.port,
                meta={_META_VERSION: instance.version, _META_PROOF: instance.proof},
                check=Check.ttl(f"{ttl_s:g}s") | passing,
            )
        )
        await self.renew(id=instance.id)  # a check that was there keeps its status, which may be critical

    async def renew(self, *, id: str) -> None:
        try:
            known = await self._ask(lambda consul: consul.agent.check.ttl_pass(f"service:{id}"))
        except (InvalidInput, Unavailable) as error:
            if not any(text in error.detail.lower() for text in _UNKNOWN_CHECK):
                raise
            known = False
        if not known:  # the client turns 404 into False
            raise NotFound(f"{self._url}: instance {id} is not registered")

    async def deregister(self, *, id: str) -> None:
        await self._ask(lambda consul: consul.agent.service.deregister(id))

    async def healthy(self, *, service: Name, index: int = 0, wait_s: float = 0.0) -> Healthy:
        waiting = {"index": index, "wait": f"{int(wait_s * 1000)}ms"} if index else {}
        new_index, nodes = await self._ask(
            lambda consul: consul.health.service(service, passing=True, **waiting), ANSWER_LIMIT_S + wait_s * 17 / 16
        )
        try:
            return Healthy(index=int(new_index), instances=tuple(_instances(_nodes.validate_python(nodes))))
        except ValueError:
            raise Unavailable(f"{self._url}: answer not understood") from None

    async def services(self) -> list[Name]:
        _, names = await self._ask(lambda consul: consul.catalog.services())
        return sorted(name for name in names if NAME_PATTERN.fullmatch(name))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.http.close()
            self._opened = None


def _instances(nodes: Iterable[dict[str, Any]]) -> Iterable[Instance]:
    """Instances of Consul's answer; without an address of its own one has that of its node. What somebody else has
    registered under the name, and cannot be called, is left out."""
    for node in nodes:
        try:
            service = node["Service"]
            meta = service.get("Meta") or {}
            yield Instance(
                service=service["Service"],
                id=service["ID"],
                address=service["Address"] or node["Node"]["Address"],
                port=service["Port"],
                version=meta.get(_META_VERSION, ""),
                proof=meta.get(_META_PROOF, ""),
            )
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            _log.debug("not an instance", error=type(error).__name__)


def _tls() -> ssl.SSLContext:
    """Trusts what the system trusts (SSL_CERT_FILE adds to that), and Mozilla's list where the system has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
