"""A gateway on real sockets before small services, with registry, tokens and bus in memory."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter
from starlette.types import ASGIApp

from lucid.access.verifying import AUDIENCE, ISSUER, AccessTokenVerifier
from lucid.base.clock import Clock, SystemClock
from lucid.base.errors import Unauthenticated, Unavailable
from lucid.base.secret import Secret
from lucid.crypto import jwt
from lucid.crypto.jwt import TokenKey
from lucid.drivers.disk.folder import DiskFolder
from lucid.drivers.http.listener import UvicornListener
from lucid.drivers.http.upstream import AiohttpUpstream
from lucid.model.permission import ROLES, Role
from lucid.model.principal import Principal
from lucid.ports.access import Revocation
from lucid.ports.apicatalog import ApiCatalog
from lucid.ports.registry import Healthy, Instance
from lucid.ports.service import App
from lucid.ports.stores import Allowance, Bus, Event, Hit, Json
from lucid.runtime.host import HttpServer, http_app
from lucid.services.api_gateway.limits import LocalLimits
from lucid.services.api_gateway.service import ApiGateway
from lucid.services.api_gateway.settings import ApiGatewaySettings
from tests import guards
from tests.waiting import until


class MemoryRegistry:
    """Instances that tests bring and take away."""

    def __init__(self) -> None:
        self._index = 1
        self._instances: dict[str, Instance] = {}
        self._changed = asyncio.Condition()

    async def register(self, *, instance: Instance, ttl_s: float) -> None:
        self._instances[instance.id] = instance
        await self._tell()

    async def renew(self, *, id: str) -> None: ...

    async def deregister(self, *, id: str) -> None:
        self._instances.pop(id, None)
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._index += 1
            self._changed.notify_all()

    async def healthy(self, *, service: str, index: int = 0, wait_s: float = 0.0) -> Healthy:
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s if index else None):
                    await self._changed.wait_for(lambda: not index or self._index > index)
        found = tuple(instance for instance in self._instances.values() if instance.service == service)
        return Healthy(index=self._index, instances=found)

    async def services(self) -> list[str]:
        return sorted({instance.service for instance in self._instances.values()})


class MemoryTokens:
    """Issues tokens as lucid-auth-service does."""

    def __init__(self) -> None:
        self.key = TokenKey.generate()
        self.revoked: list[Revocation] = []
        self.api_tokens: dict[str, Principal] = {}
        self.asked = 0
        self._ids = itertools.count(1)

    async def keys(self) -> dict[str, Any]:
        return {"keys": [{**jwt.public_jwk(self.key.private.public_key()), "kid": self.key.id}]}

    async def principal(self, *, token: Secret) -> Principal:
        self.asked += 1
        try:
            return self.api_tokens[token.reveal()]
        except KeyError:
            raise Unauthenticated("the API token is unknown") from None

    async def revocations(self) -> list[Revocation]:
        return self.revoked

    def claims(self, user: str = "ada", role: Role = "user", **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        scope = " ".join(sorted(ROLES[role]))
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "role": role,
            "scope": scope,
            "amr": ["pwd"],
        }
        claims |= {"jti": f"t{next(self._ids)}", "sid": "s1", "iat": now, "auth_time": now, "exp": now + 900}
        return {**claims, **changes}

    def access(self, user: str = "ada", role: Role = "user", **changes: Any) -> str:
        return self.key.sign(self.claims(user, role, **changes)).reveal()


class MemoryBus:
    """Limits and events of one process; `away` makes it fail."""

    def __init__(self, clock: Clock) -> None:
        self.away = False
        self.batches: list[int] = []
        self._limits = LocalLimits(clock)
        self._events: list[Event] = []
        self._changed = asyncio.Condition()

    async def publish(self, topic: str, body: Json) -> str:
        async with self._changed:
            self._events.append(Event(topic, str(len(self._events) + 1), body))
            self._changed.notify_all()
        return self._events[-1].position

    async def read(self, topic: str, *, after: str = "$", wait_s: float = 1.0, limit: int = 100) -> list[Event]:
        begin = len(self._events) if after == "$" else int(after)
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait_for(lambda: len(self._events) > begin)
        return [event for event in self._events[begin:] if event.topic == topic]

    async def hit(self, key: str, *, limit: int, window_s: float) -> float:
        raise NotImplementedError

    async def hits(self, hits: Sequence[Hit]) -> list[Allowance]:
        if self.away:
            raise Unavailable("the event bus does not answer")
        self.batches.append(len(hits))
        await asyncio.sleep(0)
        return self._limits.hits(hits)


class World:
    """What is behind gateways, and the gateways. Everything ends with the context."""

    def __init__(self, folder: Path) -> None:
        self.registry = MemoryRegistry()
        self.tokens = MemoryTokens()
        self.clock = SystemClock()
        self.bus = MemoryBus(self.clock)
        self.identity = guards.CallerOf("api-gateway")
        self.folder = folder
        self.stack = contextlib.AsyncExitStack()
        self._ids = itertools.count(1)

    async def host(self, name: str, app: ASGIApp) -> Instance:
        """Serve any ASGI application as an instance of the service `name`."""
        server = HttpServer(app, "127.0.0.1", 0)
        await server.start_serving()
        self.stack.push_async_callback(server.stop_serving)
        url = httpx.URL(server.url)
        instance = Instance(service=name, id=f"{name}-{next(self._ids)}", address=url.host, port=url.port or 0)
        await self.registry.register(instance=instance, ttl_s=10)
        return instance

    async def service(self, name: str, api: APIRouter, prefixes: tuple[str, ...]) -> Instance:
        """Serve a service as the runtime does, guards and all."""
        literal = guards.service(name, api=prefixes)
        guard = guards.guard(literal, self.identity, needs=object)
        return await self.host(name, http_app(literal, App(api=api), guard))

    async def gateway(
        self,
        prefixes: Mapping[str, tuple[str, ...]],
        *,
        published: Mapping[str, tuple[str, str]] | None = None,
        bus: Bus | None = None,
        **settings: Any,
    ) -> ApiGateway:
        """A gateway that has seen the documents of all services that are there."""
        defaults = {"public_port": 0, "access_log": False}
        gateway = ApiGateway(
            ApiGatewaySettings(**{**defaults, **settings}),
            catalog=ApiCatalog(prefixes=dict(prefixes), published=dict(published or {})),
            verifier=AccessTokenVerifier(ISSUER, self.clock),
            tokens=self.tokens,
            registry=self.registry,
            bus=bus or self.bus,
            signer=self.identity.signer,
            folder=DiskFolder(self.folder),
            listener=UvicornListener(),
            upstream=AiohttpUpstream(),
            clock=self.clock,
        )
        await gateway.start()
        self.stack.push_async_callback(gateway.stop)
        there = set(await self.registry.services()) & set(prefixes)
        await until(lambda: there <= gateway._documents.keys())
        return gateway

    async def client(self, gateway: ApiGateway, token: str = "", **options: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = (await gateway.endpoint()).url
        return await self.stack.enter_async_context(
            httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, **options)
        )

    async def __aenter__(self) -> "World":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()


def document(*operations: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    """An OpenAPI document of operations (method, path, more members)."""
    paths: dict[str, Any] = {}
    for method, path, more in operations:
        responses = {"200": {"description": "fine"}}
        paths.setdefault(path, {})[method] = {"operationId": f"{method}{len(paths)}", "responses": responses, **more}
    return {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths}
