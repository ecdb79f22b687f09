"""The processes of the benchmark `api-gateway`: a service, and the gateway before it.

The service is made as all of ours are: hosted by the runtime, its one route guarded. The gateway is the real one with
a real Valkey for its limits; only the registry and the token service are the simplest that keep their ports' promises.
Its settings are the defaults, so it logs each request; only the limits are too high to be reached. Each says on its
standard output where it listens, and ends with its standard input.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from lucid.access.verifying import AUDIENCE, ISSUER, AccessTokenVerifier
from lucid.base.clock import SystemClock
from lucid.base.errors import Unauthenticated
from lucid.base.logging import configure_logging
from lucid.base.secret import Secret
from lucid.base.settings import Settings
from lucid.catalog.types import Service
from lucid.crypto import jwt
from lucid.crypto.identity import GATEWAY, ServiceSigner, ServiceVerifier
from lucid.crypto.jwt import TokenKey
from lucid.drivers.disk.folder import DiskFolder
from lucid.drivers.http.listener import UvicornListener
from lucid.drivers.http.upstream import AiohttpUpstream
from lucid.drivers.redis.bus import RedisBus
from lucid.drivers.redis.valkey import Valkey
from lucid.model.permission import ROLES, Permission
from lucid.model.principal import Principal
from lucid.ports.access import Revocation
from lucid.ports.api import requires
from lucid.ports.apicatalog import ApiCatalog
from lucid.ports.registry import Healthy, Instance
from lucid.ports.service import App
from lucid.runtime.auth import ServiceGuard
from lucid.runtime.collecting import settled
from lucid.runtime.host import HttpServer, http_app
from lucid.services.api_gateway.service import ApiGateway
from lucid.services.api_gateway.settings import ApiGatewaySettings

PATH = "/api/v1/trivial/hello"
ADDRESS = "127.0.0.1"
_NO_LIMIT = 1_000_000_000
_SERVICE = Service(
    name="trivial",
    summary="answers with a word",
    phase=1,
    port=1,
    embedded_port=1,
    entry="",
    settings=Settings,
    api=("/api/v1/trivial",),
)


def key_of(seed: str) -> TokenKey:
    """The same key in every process."""
    return TokenKey.parse(Secret(seed * 32))


IDENTITY, TOKENS = key_of("01"), key_of("02")


def access_token() -> str:
    """An access token for an hour, as lucid-auth-service makes them."""
    now = int(time.time())
    scope = " ".join(sorted(ROLES["user"]))
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "role": "user", "scope": scope, "amr": ["pwd"]}
    return TOKENS.sign(claims | {"jti": "t1", "sid": "s1", "iat": now, "auth_time": now, "exp": now + 3600}).reveal()


def service_token() -> str:
    """What the gateway shows to the service, for a minute."""
    principal = Principal(user="ada", role="user", permissions=ROLES["user"], methods=("pwd",), token="t1", session="s")
    return ServiceSigner(GATEWAY, IDENTITY, SystemClock()).token(_SERVICE.name, principal).reveal()


def _trivial() -> ASGIApp:
    router = APIRouter()

    @router.get("/api/v1/trivial/hello", **requires(Permission.HOSTS_READ))
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    verifier = ServiceVerifier(_SERVICE.name, {GATEWAY: IDENTITY.private.public_key()}, SystemClock())
    return http_app(_SERVICE, App(api=router), ServiceGuard(_SERVICE, verifier, [_SERVICE], Secret("metrics")))


def _bare() -> ASGIApp:
    """The least that can answer: the floor of what any Python service costs."""
    body = json.dumps({"hello": "world"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    document = {"paths": {PATH: {"get": {"x-permission": "hosts:read", "responses": {}}}}}
    documented = json.dumps(document).encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == PATH:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": documented})

    return app


class _OneInstance:
    """A registry of one service at one address."""

    def __init__(self, port: int) -> None:
        instance = Instance(service=_SERVICE.name, id="trivial-1", address=ADDRESS, port=port)
        self._healthy = Healthy(index=1, instances=(instance,))

    async def healthy(self, *, service: str, index: int = 0, wait_s: float = 0.0) -> Healthy:
        if index:
            await asyncio.sleep(wait_s)
        return self._healthy


class _OneKey:
    async def keys(self) -> dict[str, Any]:
        return {"keys": [{**jwt.public_jwk(TOKENS.private.public_key()), "kid": TOKENS.id}]}

    async def principal(self, *, token: Secret) -> Principal:
        raise Unauthenticated("no API tokens here")

    async def revocations(self) -> list[Revocation]:
        return []


async def _serve(app: ASGIApp) -> None:
    server = HttpServer(app, ADDRESS, 0)
    await server.start_serving()
    await _until_told(int(server.url.rpartition(":")[2]))
    await server.stop_serving()


async def _gateway(port: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        valkey = Valkey(Path(name) / "valkey")
        await valkey.start()
        bus = RedisBus(valkey.url)
        clock = SystemClock()
        gateway = ApiGateway(
            ApiGatewaySettings(
                public_port=0,
                requests_per_minute_user=_NO_LIMIT,
                requests_per_minute_token=_NO_LIMIT,
                requests_per_minute_address=_NO_LIMIT,
            ),
            catalog=ApiCatalog(prefixes={_SERVICE.name: _SERVICE.api}, published={}),
            verifier=AccessTokenVerifier(ISSUER, clock),
            tokens=_OneKey(),
            registry=_OneInstance(port),  # type: ignore[arg-type]
            bus=bus,
            signer=ServiceSigner(GATEWAY, IDENTITY, clock),
            folder=DiskFolder(Path(name)),
            listener=UvicornListener(),
            upstream=AiohttpUpstream(),
            clock=clock,
        )
        await gateway.start()
        await _until_told(int((await gateway.endpoint()).url.rpartition(":")[2]))
        await gateway.stop()
        await bus.aclose()
        await valkey.stop()


async def _until_told(port: int) -> None:
    settled()  # as each process of ours does once it has started
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


def main(role: str, *arguments: str) -> None:
    configure_logging(json=True)
    if role == "gateway":
        uvloop.run(_gateway(int(arguments[0])))
    else:
        uvloop.run(_serve(_bare() if role == "bare" else _trivial()))


if __name__ == "__main__":
    main(*sys.argv[1:])
