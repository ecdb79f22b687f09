"""Services are found, followed when they move, and leave when they end; the registry may come and go."""

import asyncio
import itertools
from unittest.mock import AsyncMock

import pytest

from lucid.base.errors import NotFound, Unavailable
from lucid.ports.registry import Healthy, Instance
from lucid.runtime import mesh as module
from lucid.runtime.mesh import Mesh
from tests import guards
from tests.waiting import until

BANK, CLERK = guards.service("bank"), guards.service("clerk")


class MemoryRegistry:
    """A registry in memory, with blocking queries."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.index = 1
        self.away = False
        self.renewed = 0
        self._changed = asyncio.Condition()

    def _check(self) -> None:
        if self.away:
            raise Unavailable("away")

    async def touch(self) -> None:
        async with self._changed:
            self.index += 1
            self._changed.notify_all()

    async def register(self, *, instance: Instance, ttl_s: float) -> None:
        self._check()
        self.instances[instance.id] = instance
        await self.touch()

    async def renew(self, *, id: str) -> None:
        self._check()
        if id not in self.instances:
            raise NotFound(id)
        self.renewed += 1

    async def deregister(self, *, id: str) -> None:
        self._check()
        self.instances.pop(id, None)
        await self.touch()

    async def healthy(self, *, service: str, index: int = 0, wait_s: float = 0.0) -> Healthy:
        self._check()
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.index > index), wait_s)
        found = tuple(instance for instance in self.instances.values() if instance.service == service)
        return Healthy(index=self.index, instances=found)

    async def services(self) -> list[str]:
        return sorted({instance.service for instance in self.instances.values()})


async def test_what_joins_is_found_in_turn_and_what_leaves_is_not() -> None:
    registry = MemoryRegistry()
    async with Mesh(registry, ttl_s=1) as caller:
        where = caller.where(BANK)
        async with Mesh(registry, ttl_s=1) as one, Mesh(registry, ttl_s=1) as two:
            one.join(BANK, "http://127.0.0.1:1001")
            two.join(BANK, "http://[::]:1002", address="::1")
            await until(lambda: len(registry.instances) == 2)
            await until(lambda: len(caller._known["bank"]._urls) == 2)
            found = {await where() for _ in range(2)}
            assert found == {"http://127.0.0.1:1001", "http://[::1]:1002"}
        await until(lambda: not caller._known["bank"]._urls)
        assert not registry.instances


async def test_who_left_does_not_leave_again_when_the_mesh_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, leave = MemoryRegistry(), AsyncMock()
    monkeypatch.setattr(registry, "deregister", leave)
    async with Mesh(registry, ttl_s=1) as mesh:
        mesh.join(BANK, "http://127.0.0.1:1001")
        await mesh.leave()
    leave.assert_awaited_once()


async def test_a_registry_that_forgot_is_told_again() -> None:
    registry = MemoryRegistry()
    async with Mesh(registry, ttl_s=0.03) as mesh:
        mesh.join(BANK, "http://127.0.0.1:1001")
        await until(lambda: registry.renewed > 2)
        registry.instances.clear()
        await until(lambda: len(registry.instances) == 1)


async def test_what_was_known_is_used_while_the_registry_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    registry = MemoryRegistry()
    async with Mesh(registry, ttl_s=0.05) as mesh:
        mesh.join(BANK, "http://127.0.0.1:1001")
        where = mesh.where(BANK)
        assert await where() == "http://127.0.0.1:1001"
        registry.away = True
        await registry.touch()
        await asyncio.sleep(0.05)
        assert await where() == "http://127.0.0.1:1001"
        registry.away, registry.index = False, 1
        registry.instances.clear()
        await until(lambda: len(registry.instances) == 1)


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_ANSWER_S", 0.02)
    async with Mesh(MemoryRegistry(), ttl_s=1) as mesh:
        with pytest.raises(Unavailable, match="no instance of bank is healthy") as refusal:
            await mesh.where(BANK)()
    assert refusal.value.retry_after_s == 1.0


async def test_the_first_call_waits_for_the_first_instance() -> None:
    registry = MemoryRegistry()
    async with Mesh(registry, ttl_s=1) as mesh:
        asking = asyncio.ensure_future(mesh.where(BANK)())
        await asyncio.sleep(0.02)
        assert not asking.done()
        mesh.join(BANK, "http://127.0.0.1:1001")
        assert await asking == "http://127.0.0.1:1001"


async def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_URL_BANK", "http://bank:1")
    async with Mesh(MemoryRegistry(), ttl_s=1) as mesh:
        assert [await mesh.where(BANK)() for _ in range(2)] == ["http://bank:1"] * 2
        assert not mesh._tasks


def test_instances_of_a_service_have_ids_of_their_own() -> None:
    async def ids() -> set[str]:
        registry = MemoryRegistry()
        async with Mesh(registry, ttl_s=1) as mesh:
            for port in itertools.islice(itertools.count(1001), 3):
                mesh.join(CLERK, f"http://127.0.0.1:{port}")
            await until(lambda: len(registry.instances) == 3)
            return set(registry.instances)

    assert len(asyncio.run(ids())) == 3
