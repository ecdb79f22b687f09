"""Every registry, in process and over Consul's HTTP API: who registers is found until it is not well any more."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.base.errors import NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.drivers.consul.registry import ConsulRegistry
from lucid.ports.registry import Instance, Registry
from tests.services.service_mesh.mesh_kit import TOKEN, RunningMesh, running_mesh

TTL_S = 9.0


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[RunningMesh]:
    async with running_mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture(params=["in-process", "consul"])
async def registry(request: pytest.FixtureRequest, mesh: RunningMesh) -> AsyncIterator[Registry]:
    if request.param == "in-process":
        yield mesh.mesh
        return
    consul = ConsulRegistry(mesh.url, TOKEN)
    yield consul
    await consul.aclose()


def instance(number: int = 1, service: str = "bank", **changed: object) -> Instance:
    made = {"service": service, "id": f"{service}-{number}", "address": "127.0.0.1", "port": 1000 + number}
    return Instance.model_validate({**made, "version": "1.2.3", **changed})


async def found(registry: Registry, service: str = "bank") -> set[str]:
    return {instance.id for instance in (await registry.healthy(service=service)).instances}


async def test_what_is_registered_is_found_as_it_is(registry: Registry) -> None:
    await registry.register(instance=instance(), ttl_s=TTL_S)
    await registry.register(instance=instance(2, address="::1"), ttl_s=TTL_S)
    await registry.register(instance=instance(service="clerk"), ttl_s=TTL_S)
    healthy = await registry.healthy(service="bank")
    assert sorted(healthy.instances, key=lambda i: i.id) == [instance(), instance(2, address="::1")]
    assert await registry.services() == ["bank", "clerk"]
    assert (await registry.healthy(service="nobody")).instances == ()


async def test_registered_again_it_is_replaced(registry: Registry) -> None:
    await registry.register(instance=instance(), ttl_s=TTL_S)
    await registry.register(instance=instance(port=9999), ttl_s=TTL_S)
    assert [i.port for i in (await registry.healthy(service="bank")).instances] == [9999]


async def test_who_is_silent_is_left_out_within_its_ttl(registry: Registry, mesh: RunningMesh) -> None:
    for number in (1, 2):
        await registry.register(instance=instance(number), ttl_s=TTL_S)
    await mesh.turn(TTL_S - 1)
    await registry.renew(id="bank-1")
    await mesh.turn(1)
    assert await found(registry) == {"bank-1"}
    await registry.renew(id="bank-2")
    assert await found(registry) == {"bank-1", "bank-2"}


async def test_who_stays_silent_is_forgotten(registry: Registry, mesh: RunningMesh) -> None:
    await registry.register(instance=instance(), ttl_s=TTL_S)
    await mesh.turn(TTL_S)
    await mesh.turn(61)
    assert await registry.services() == []
    with pytest.raises(NotFound):
        await registry.renew(id="bank-1")
    await registry.register(instance=instance(), ttl_s=TTL_S)
    assert await found(registry) == {"bank-1"}


async def test_who_leaves_is_gone_and_may_say_so_twice(registry: Registry) -> None:
    await registry.register(instance=instance(), ttl_s=TTL_S)
    for _ in range(2):
        await registry.deregister(id="bank-1")
    assert await found(registry) == set()


async def test_a_blocking_query_answers_at_a_change_and_not_at_a_renewal(registry: Registry) -> None:
    await registry.register(instance=instance(), ttl_s=TTL_S)
    before = await registry.healthy(service="bank")
    waiting = asyncio.ensure_future(registry.healthy(service="bank", index=before.index, wait_s=20))
    await registry.renew(id="bank-1")
    await registry.register(instance=instance(service="clerk"), ttl_s=TTL_S)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await registry.register(instance=instance(2), ttl_s=TTL_S)
    after = await waiting
    assert after.index > before.index
    assert len(after.instances) >= 1


async def test_a_blocking_query_ends_in_time(registry: Registry) -> None:
    index = (await registry.healthy(service="bank")).index
    again = await registry.healthy(service="bank", index=index, wait_s=0.05)
    assert again.index == index


async def test_a_registry_that_is_not_there() -> None:
    registry = ConsulRegistry("http://127.0.0.1:9", TOKEN)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        await registry.services()
    await registry.aclose()


async def test_a_wrong_token(mesh: RunningMesh) -> None:
    registry = ConsulRegistry(mesh.url, Secret("wrong"))
    with pytest.raises(Unavailable, match="Permission denied"):
        await registry.register(instance=instance(), ttl_s=TTL_S)
    await registry.aclose()
