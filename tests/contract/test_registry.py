"""Every registry, in process and over Consul's HTTP API: who registers is found until it is not well any more."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.base.errors import InvalidInput, LucidError, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.crypto.certificate import self_signed, server_context
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


async def test_who_registers_again_passes_at_once(registry: Registry, mesh: RunningMesh) -> None:
    await registry.register(instance=instance(), ttl_s=TTL_S)
    await mesh.turn(TTL_S + 1)
    assert await found(registry) == set()
    await registry.register(instance=instance(), ttl_s=TTL_S)
    assert await found(registry) == {"bank-1"}


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


async def test_the_token_is_the_one_given_whatever_the_environment_says(
    mesh: RunningMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "another")
    registry = ConsulRegistry(mesh.url, TOKEN)
    assert await registry.services() == []
    await registry.aclose()
    stranger = ConsulRegistry(mesh.url, None)
    with pytest.raises(Unavailable, match="Permission denied"):
        await stranger.services()
    await stranger.aclose()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8500/consul", "ftp://127.0.0.1", "http://"])
async def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InvalidInput):
        await ConsulRegistry(url, None).services()


async def test_what_others_register_and_cannot_be_called_is_left_out(mesh: RunningMesh) -> None:
    registry = ConsulRegistry(mesh.url, TOKEN)
    async with mesh.client() as consul:
        await consul.agent.service.register("bank", "no-port")
        await consul.agent.service.register("Not_A_Name!", "x", port=1)
        await consul.agent.service.register("bank", "of-the-node", port=1)
    (only,) = (await registry.healthy(service="bank")).instances
    assert (only.id, only.address) == ("of-the-node", "127.0.0.1")
    assert await registry.services() == ["bank"]
    await registry.aclose()


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (404, "Unknown check ID", NotFound),
        (500, 'CheckID "service:bank-1" does not have associated TTL', NotFound),
        (500, "No cluster leader", Unavailable),
        (429, "too many", Unavailable),
        (400, "bad", InvalidInput),
        (403, "Permission denied", Unavailable),
        (302, "", Unavailable),
    ],
)
async def test_what_agents_of_any_age_answer(status: int, text: str, error: type[LucidError]) -> None:
    async with answering(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n{text}") as url:
        registry = ConsulRegistry(url, TOKEN)
        with pytest.raises(error):
            await registry.renew(id="bank-1")
        await registry.aclose()


@pytest.mark.parametrize("body", ["", "{}", "[1]", "null", "not JSON", "[" * 100_000])
async def test_an_answer_that_is_not_understood(body: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: {len(body)}\r\n\r\n"
    async with answering(head + body) as url:
        registry = ConsulRegistry(url, TOKEN)
        with pytest.raises(Unavailable):
            await registry.healthy(service="bank")
        await registry.aclose()


async def test_over_tls_the_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = self_signed("127.0.0.1")
    (tmp_path / "ca.pem").write_bytes(pem[pem.index(b"-----BEGIN CERTIFICATE") :])
    head = "HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: 12\r\n\r\n"
    async with answering(head + '{"bank": []}', tls=server_context(pem)) as url:
        strict = ConsulRegistry(url, TOKEN)
        with pytest.raises(Unavailable, match="certificate"):
            await strict.services()
        await strict.aclose()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        trusting = ConsulRegistry(url, TOKEN)
        assert await trusting.services() == ["bank"]
        await trusting.aclose()


@contextlib.asynccontextmanager
async def answering(answer: str, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that says the same to everybody; its URL."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer.encode())
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0, ssl=tls) as server:
        host, port = server.sockets[0].getsockname()
        yield f"{'https' if tls else 'http'}://{host}:{port}"
