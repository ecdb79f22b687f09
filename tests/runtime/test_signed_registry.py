"""Of what stands in the registry only that is believed which the service itself signed."""

from pathlib import Path

import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import NotFound
from lucid.catalog.keys import identity_key
from lucid.ports.registry import Instance
from lucid.runtime.keyring import Keyring
from lucid.runtime.signed_registry import LIFE_S, SignedRegistry
from tests.clocks import TurnedClock
from tests.services.service_mesh.mesh_kit import running_mesh

MINE = Instance(service="session-api", id="session-api-1", address="session-api", port=8087)


async def test_what_another_service_registers_in_the_name_of_one_is_not_believed(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys")
    async with running_mesh(tmp_path) as mesh:
        registry = SignedRegistry(mesh.mesh, keyring, SystemClock())
        await registry.register(instance=MINE, ttl_s=9.0)
        assert (await registry.healthy(service="session-api")).instances == (MINE,)
        (signed,) = (await mesh.mesh.healthy(service="session-api")).instances
        elsewhere = {"id": "session-api-2", "address": "attacker"}
        for forged in (
            {"proof": ""},
            {"proof": "nonsense"},
            {"proof": signed.proof},  # of another address
            {"proof": as_another(signed, tmp_path, "rdp-monitor")},
        ):
            await mesh.mesh.register(instance=signed.model_copy(update=elsewhere | forged), ttl_s=9.0)
            assert (await registry.healthy(service="session-api")).instances == (MINE,)
        assert len((await mesh.mesh.healthy(service="session-api")).instances) == 2


def as_another(instance: Instance, folder: Path, name: str) -> str:
    """A registration of the forged instance that another service's key signed."""
    claims = {"iss": "session-api", "sub": "session-api-2", "aud": "registry", "url": "http://attacker:8087"}
    return Keyring.open(folder / "keys").identity(name).sign({**claims, "iat": 0, "exp": 2**40}).reveal()


async def test_a_service_without_its_identity_cannot_register(tmp_path: Path) -> None:
    Keyring.open(tmp_path / "keys")
    (tmp_path / "keys" / identity_key("session-api").name).unlink()
    async with running_mesh(tmp_path) as mesh:
        with pytest.raises(NotFound, match="identities/session-api"):
            await SignedRegistry(mesh.mesh, Keyring.open(tmp_path / "keys"), SystemClock()).register(
                instance=MINE, ttl_s=9.0
            )


async def test_a_registration_ends_one_day_but_not_by_a_clock_that_is_set_back(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running_mesh(tmp_path) as mesh:
        registry = SignedRegistry(mesh.mesh, Keyring.open(tmp_path / "keys"), clock)
        await registry.register(instance=MINE, ttl_s=9.0)
        clock.advance(-10 * LIFE_S)
        assert (await registry.healthy(service="session-api")).instances
        clock.advance(11 * LIFE_S + 120)
        assert not (await registry.healthy(service="session-api")).instances
