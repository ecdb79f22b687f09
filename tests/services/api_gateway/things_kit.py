"""A service of things, and a client that asks it through a gateway."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI, Request

from tests.services.api_gateway.gateway_kit import World, document

PREFIXES = {"things": ("/api/v1/things",)}
READ = {"x-permission": "hosts:read"}
OPEN = {"x-permission": "public"}


def app_of(api: FastAPI, *operations: tuple[str, str, dict[str, Any]]) -> FastAPI:
    """`api` with an OpenAPI document of these operations."""

    @api.get("/openapi.json")
    async def openapi() -> dict[str, Any]:
        return document(*operations)

    return api


def bare() -> FastAPI:
    return FastAPI(openapi_url=None)


async def a_client(
    world: World, api: FastAPI, *paths: tuple[str, str, dict[str, Any]], **options: Any
) -> httpx.AsyncClient:
    await world.host("things", app_of(api, *paths))
    gateway = await world.gateway(PREFIXES, **options)
    return await world.client(gateway, world.tokens.access(role="admin"))


def echo() -> FastAPI:
    api = bare()

    @api.api_route("/api/v1/things/echo", methods=["GET", "POST"])
    async def echoed(request: Request) -> dict[str, Any]:
        body = await request.body()
        return {
            "headers": dict(request.headers),
            "query": str(request.url.query),
            "body": len(body),
            "path": request.scope["raw_path"].decode(),
        }

    return api


async def until_status(client: httpx.AsyncClient, method: str, status: int) -> None:
    async with asyncio.timeout(5):
        while (await client.request(method, "/api/v1/things/echo")).status_code != status:
            pass


ECHO = (("get", "/api/v1/things/echo", READ), ("post", "/api/v1/things/echo", READ))
