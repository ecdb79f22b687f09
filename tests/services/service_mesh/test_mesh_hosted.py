"""The mesh as the runtime hosts it: through its middleware, with its own token, beside the port Registry."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from consul.aio import Consul

from lucid.base.clock import SystemClock
from lucid.catalog.services import SERVICES
from lucid.crypto.identity import ServiceVerifier
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.registry import Registry
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.runtime.auth import ServiceGuard
from lucid.runtime.host import HttpServer, http_app
from lucid.services.service_mesh.app import create
from lucid.services.service_mesh.service import ServiceMesh
from lucid.services.service_mesh.settings import ServiceMeshSettings
from tests import guards
from tests.services.service_mesh.mesh_kit import TOKEN
from tests.waiting import until


@dataclasses.dataclass(frozen=True)
class Hosted:
    url: str
    app: App

    @property
    def mesh(self) -> ServiceMesh:
        found = self.app.provides[Registry]
        assert isinstance(found, ServiceMesh)
        return found


@pytest.fixture
async def hosted(tmp_path: Path) -> AsyncIterator[Hosted]:
    (service,) = (service for service in SERVICES if service.name == "service-mesh")
    documents = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    settings = ServiceMeshSettings.model_validate({"mesh_token": TOKEN, "sweep_s": 0.02})
    app = create(settings, Ports({Documents: documents}))
    verifier = ServiceVerifier(service.name, {}, SystemClock())
    guard = ServiceGuard(service, verifier, SERVICES, guards.METRICS_TOKEN)
    server = HttpServer(http_app(service, app, guard), "127.0.0.1", 0)
    await app.start()
    await server.start_serving()
    yield Hosted(server.url, app)
    await app.stop()
    await server.stop_serving()
    await documents.aclose()


def http(hosted: Hosted, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=hosted.url, headers=headers, trust_env=False)


async def test_the_meshs_token_opens_its_paths_and_no_others(hosted: Hosted) -> None:
    async with http(hosted, authorization=f"Bearer {TOKEN.reveal()}") as client:
        assert (await client.get("/v1/agent/services")).json() == {}
        assert (await client.post("/rpc/Registry/services", json={})).status_code == 401
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/v1/what")).headers["content-type"].startswith("text/plain")
    async with http(hosted) as client:
        assert (await client.get("/ready")).status_code == 200
        assert (await client.get("/v1/agent/services")).status_code == 403


async def test_the_port_and_the_paths_tell_of_the_same(hosted: Hosted) -> None:
    async with Consul(host="127.0.0.1", port=int(hosted.url.rpartition(":")[2]), token=TOKEN.reveal()) as consul:
        await consul.agent.service.register("bank", "bank-1", address="127.0.0.1", port=1, check={"TTL": "10s"})
        assert (await hosted.mesh.healthy(service="bank")).instances == ()
        await hosted.mesh.renew(id="bank-1")
        (found,) = (await hosted.mesh.healthy(service="bank")).instances
        assert found.url == "http://127.0.0.1:1"


async def test_a_ttl_ends_by_itself(hosted: Hosted) -> None:
    """With the clock of the machine and the mesh's own sweeper."""
    async with http(hosted, **{"X-Consul-Token": TOKEN.reveal()}) as client:
        check = {"TTL": "200ms", "Status": "passing"}
        await client.put("/v1/agent/service/register", json={"Name": "bank", "Check": check})
        index = (await client.get("/v1/health/service/bank?passing")).headers["x-consul-index"]
        answer = await client.get(f"/v1/health/service/bank?passing&index={index}&wait=4s", timeout=10)
        assert answer.json() == []


async def test_who_hangs_up_is_noticed_through_the_middleware(hosted: Hosted) -> None:
    async with http(hosted, **{"X-Consul-Token": TOKEN.reveal()}) as client:
        index = (await client.get("/v1/catalog/services")).headers["x-consul-index"]
        waiting = asyncio.create_task(client.get(f"/v1/catalog/services?index={index}&wait=60s", timeout=60))
        await until(lambda: _waiting(hosted, 1))
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await until(lambda: _waiting(hosted, 0))


async def _waiting(hosted: Hosted, count: int) -> bool:
    return hosted.mesh.indexes.waiters == count
