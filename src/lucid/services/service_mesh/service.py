"""The mesh put together; also the port Registry for services of the same process."""

import asyncio
import contextlib

import structlog

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import NotFound, Unavailable
from lucid.base.tasks import Tasks
from lucid.ports.registry import Healthy, Instance
from lucid.ports.stores import Documents
from lucid.services.service_mesh.api.agent import AgentApi
from lucid.services.service_mesh.api.catalog import CatalogApi
from lucid.services.service_mesh.api.door import Door
from lucid.services.service_mesh.api.keys import KeysApi
from lucid.services.service_mesh.api.sessions import SessionsApi
from lucid.services.service_mesh.api.shapes import Shapes
from lucid.services.service_mesh.errors import Refusal
from lucid.services.service_mesh.indexes import Indexes
from lucid.services.service_mesh.instances import CheckState, Instances, InstanceState
from lucid.services.service_mesh.keys import Keys, Limits
from lucid.services.service_mesh.probes import Probes
from lucid.services.service_mesh.sessions import Sessions
from lucid.services.service_mesh.settings import ServiceMeshSettings

VERSION = "version"
PROOF = "proof"
_FORGET_S = 60.0

_log = structlog.get_logger()


class ServiceMesh:
    """One agent. Its sweeper ends what has expired, between start() and stop()."""

    def __init__(self, settings: ServiceMeshSettings, *, documents: Documents, clock: Clock) -> None:
        first = int(parse_time(clock.now()).timestamp())
        limits = Limits(settings.max_value_bytes, settings.max_store_bytes, settings.max_keys)
        self._settings = settings
        self.indexes = Indexes(first, max_waiters=settings.max_waiters)
        self.instances = Instances(self.indexes, clock, limit=settings.max_instances)
        self.keys = Keys(documents, self.indexes, limits)
        self.sessions = Sessions(documents, self.indexes, clock, self.keys, limit=settings.max_sessions)
        self._probes = Probes(self.instances)
        self._tasks = Tasks("service-mesh")
        self._fallen: set[str] = set()
        self._due = asyncio.Event()
        self.instances.fallen = self._fell
        door, shapes = Door(settings, self.indexes), Shapes(settings, self.instances)
        AgentApi(door, self.instances, shapes)
        CatalogApi(door, self.instances, shapes)
        KeysApi(door, self.keys, self.sessions, shapes)
        SessionsApi(door, self.sessions, self.instances, shapes)
        door.close()
        self.routes = door.routes

    async def start(self) -> None:
        await self.keys.load()
        await self.sessions.load()
        self._tasks.spawn(self._sweep_regularly(), name="sweep")

    async def stop(self) -> None:
        self.indexes.close()
        await self._tasks.close()
        await self._probes.stop()

    async def check(self) -> None:
        """Readiness: raises the failure of a task, if there was one."""
        self._tasks.check()
        self._probes.check()

    def _fell(self, check: str) -> None:
        self._fallen.add(check)
        self._due.set()

    async def sweep(self) -> float:
        """End what has expired by now, and the sessions that hang on what has failed. The seconds until the next
        check's time is over."""
        left_s = self.instances.expire()
        self._due.clear()
        fallen = frozenset(self._fallen)
        await self.sessions.expire(fallen)
        self._fallen -= fallen
        return left_s

    async def _sweep_regularly(self) -> None:
        while True:
            left_s = self._settings.sweep_s
            try:
                left_s = min(left_s, await self.sweep())
            except Unavailable as error:
                _log.warning("sessions are not ended, trying again", detail=error.detail)
                await asyncio.sleep(left_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._due.wait()

    async def register(self, *, instance: Instance, ttl_s: float) -> None:
        state = InstanceState(
            id=instance.id,
            service=instance.service,
            address=instance.address,
            port=instance.port,
            meta={VERSION: instance.version, PROOF: instance.proof},
        )
        check = CheckState(
            id=f"service:{instance.id}",
            name=f"Service '{instance.service}' check",
            status="passing",
            ttl_s=ttl_s,
            forget_after_s=_FORGET_S,
        )
        try:
            self.instances.register(state, [check])
            self.instances.update(check.id, "passing", "")  # one that was critical before, too
        except Refusal as refusal:
            raise Unavailable(refusal.text) from None

    async def renew(self, *, id: str) -> None:
        try:
            self.instances.update(f"service:{id}", "passing", "")
        except Refusal as refusal:
            raise NotFound(refusal.text) from None

    async def deregister(self, *, id: str) -> None:
        self.instances.deregister(id)

    async def healthy(self, *, service: str, index: int = 0, wait_s: float = 0.0) -> Healthy:
        try:
            new_index = await self.indexes.wait(("service", service), index, wait_s, rebuilt=True)
        except Refusal as refusal:
            raise Unavailable(refusal.text) from None
        found = (i for i in self.instances.of_service(service) if self.instances.status_of(i) == "passing")
        return Healthy(index=new_index, instances=tuple(map(_instance, found)))

    async def services(self) -> list[str]:
        return sorted({instance.service for instance in self.instances.services.values()})


def _instance(state: InstanceState) -> Instance:
    return Instance(
        service=state.service,
        id=state.id,
        address=state.address,
        port=state.port,
        version=state.meta.get(VERSION, ""),
        proof=state.meta.get(PROOF, ""),
    )
