"""A running mesh on a real port, and py-consul to speak to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from consul.aio import Consul
from starlette.applications import Starlette

from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.runtime.host import HttpServer
from lucid.services.service_mesh.service import ServiceMesh
from lucid.services.service_mesh.settings import ServiceMeshSettings
from tests.clocks import TurnedClock

TOKEN = Secret("mesh-token-of-the-tests")


class RunningMesh:
    """The service behind real HTTP. Its clock is turned by `turn`, which also sweeps."""

    def __init__(self, mesh: ServiceMesh, url: str, clock: TurnedClock) -> None:
        self.mesh = mesh
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self._clock = clock

    async def turn(self, seconds: float) -> None:
        self._clock.advance(seconds)
        await self.mesh.sweep()

    def client(self, token: str | None = TOKEN.reveal()) -> Consul:
        return Consul(host="127.0.0.1", port=self.port, token=token)


Settings = Callable[..., ServiceMeshSettings]


@asynccontextmanager
async def running_mesh(folder: Path, clock: TurnedClock | None = None, **settings: float) -> AsyncIterator[RunningMesh]:
    """A mesh whose keys lie in `folder`."""
    clock = clock or TurnedClock()
    documents = await SqliteDocuments.open(folder / "mesh.sqlite")
    made = ServiceMeshSettings.model_validate({"mesh_token": TOKEN, "sweep_s": 3600.0, **settings})
    mesh = ServiceMesh(made, documents=documents, clock=clock)
    server = HttpServer(Starlette(routes=mesh.routes), "127.0.0.1", 0)
    await mesh.start()
    await server.start_serving()
    try:
        yield RunningMesh(mesh, server.url, clock)
    finally:
        await mesh.stop()
        await server.stop_serving()
        await documents.aclose()
