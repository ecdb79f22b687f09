"""One service alone: how it is found, what it needs, who else may run, and that it answers over HTTP."""

import functools
from pathlib import Path

import httpx
import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from lucid.base.ids import new_session_id
from lucid.catalog.keys import OPERATOR
from lucid.crypto.identity import ServiceSigner
from lucid.drivers.http.client import at, connect
from lucid.model.canonical import digest_of
from lucid.ports.log import DataChain
from lucid.ports.recording import Recorder
from lucid.runtime.keyring import Keyring
from lucid.runtime.mesh import fixed_address
from lucid.runtime.paths import DataDir
from lucid.runtime.platform import Platform
from lucid.runtime.serve import serve_one, service_named
from lucid.runtime.settings import RuntimeSettings
from lucid.runtime.wiring import embedded_settings


@pytest.fixture
def settings(tmp_path: Path) -> RuntimeSettings:
    return RuntimeSettings.load(data_dir=tmp_path / "data", http_port=0)


async def test_it_offers_its_ports_to_those_who_need_them(settings: RuntimeSettings) -> None:
    async with serve_one("data-chain", settings) as server:
        keyring = Keyring.open(DataDir(settings.data_dir).keys)
        for caller, refusal in (("session-anchoring", None), (OPERATOR, None), ("session-recorder", Forbidden)):
            signer = ServiceSigner(caller, keyring.identity(caller), SystemClock())
            bodies = connect(DataChain, at(server.url), functools.partial(signer.token, "data-chain"))
            try:
                if refusal is None:
                    assert await bodies.put(body=b"body") == digest_of(b"body")
                else:
                    with pytest.raises(refusal):
                        await bodies.put(body=b"body")
            finally:
                await bodies.aclose()  # type: ignore[attr-defined]
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{server.url}/ready")).json()["status"] == "ready"


async def test_memory_that_is_lent_does_not_travel(settings: RuntimeSettings) -> None:
    async with serve_one("session-recorder", settings) as server:
        identity = Keyring.open(DataDir(settings.data_dir).keys).identity(OPERATOR)
        signer = ServiceSigner(OPERATOR, identity, SystemClock())
        recorder = connect(Recorder, at(server.url), functools.partial(signer.token, "session-recorder"))
        with pytest.raises(NotFound):
            await recorder.read_segment(session=new_session_id(), number=0, memory=memoryview(bytearray(10)))
        await recorder.aclose()  # type: ignore[attr-defined]


async def test_it_keeps_what_it_has(settings: RuntimeSettings) -> None:
    """A second run in the same process finds the folder free, and the state of the first."""
    for _ in range(2):
        async with serve_one("session-recorder", settings):
            pass


async def test_unknown_name(settings: RuntimeSettings) -> None:
    with pytest.raises(InvalidInput, match=r"NAME: expected one of .*session-recorder.*, not 'sesion-recorder'"):
        async with serve_one("sesion-recorder", settings):
            pass


async def test_a_bus_must_be_given(settings: RuntimeSettings) -> None:
    with pytest.raises(InvalidInput, match="LUCID_REDIS_URL"):
        async with serve_one("session-pipeline", settings):
            pass


async def test_one_of_a_kind_on_a_data_folder(settings: RuntimeSettings) -> None:
    async with serve_one("data-chain", settings), serve_one("session-storage", settings):
        with pytest.raises(Conflict, match="another data-chain runs on"):
            async with serve_one("data-chain", settings):
                pass
        with pytest.raises(Conflict, match="another lucid runs on"):
            await Platform(settings, ephemeral=True).start()


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = service_named("session-recorder")
    assert fixed_address(recorder) is None
    monkeypatch.setenv("LUCID_URL_SESSION_RECORDER", "http://recorder:8084")
    assert fixed_address(recorder) == "http://recorder:8084"


def test_the_environment_wins_over_built_in_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = service_named("rdp-controller")
    assert embedded_settings(gateway) == {"rdp_port": 13389}
    monkeypatch.setenv("LUCID_RDP_CONTROLLER_RDP_PORT", "3390")
    assert embedded_settings(gateway) == {}
