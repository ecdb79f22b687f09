"""The platform from outside, through the API gateway alone: a person connects to a desktop, and proves the recording.

The same test runs on `lucid up` and on every service as its own process, with documents over MongoDB's wire protocol,
events over Redis' and discovery over Consul's.
"""

import asyncio
import io
import secrets
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucid.base.secret import Secret
from lucid.catalog.keys import OWNER_IDENTITY
from lucid.crypto.certificate import self_signed, server_context
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.host import ReplayHost
from lucid.ports.access import Door
from lucid.runtime.export import PortSource
from lucid.runtime.paths import DataDir
from lucid.runtime.platform import Platform
from lucid.runtime.settings import RuntimeSettings
from lucid.verify.files import Paths, verify_paths
from tests.contract.conftest import mongodb_uri as mongodb_uri  # a fixture
from tests.flow.apart import all_services
from tests.flow.conftest import FAST_LOG, PASSWORD, USERNAME
from tests.paintings import paintings

pytestmark = pytest.mark.timeout(400)

ADMIN_PASSWORD = secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Outside:
    """Where a platform's API is, and its data folder, from which only an auditor's files are taken."""

    url: str
    data: DataDir


@asynccontextmanager
async def together(folder: Path) -> AsyncIterator[PortSource]:
    settings = RuntimeSettings.load(data_dir=folder / "data")
    overrides: dict[str, dict[str, Any]] = {
        **FAST_LOG,
        "lucid-auth-service": {"administrator_password": Secret(ADMIN_PASSWORD)},
    }
    async with Platform(settings, ephemeral=True, overrides=overrides) as platform:
        yield platform


@asynccontextmanager
async def apart(folder: Path, mongodb: str) -> AsyncIterator[PortSource]:
    uri, password = folder / "mongodb-uri", folder / "administrator-password"
    uri.write_text(mongodb)
    password.write_text(ADMIN_PASSWORD)
    environment = {
        "LUCID_MONGODB_URI_FILE": str(uri),
        "LUCID_AUTH_SERVICE_ADMINISTRATOR_PASSWORD_FILE": str(password),
    }
    async with all_services(folder, **environment) as services, services.platform() as platform:
        yield platform


@pytest.fixture(params=["together", "apart"])
async def outside(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outside]:
    async with AsyncExitStack() as stack:
        if request.param == "together":
            platform = await stack.enter_async_context(together(tmp_path))
        else:
            uri = request.getfixturevalue("mongodb_uri")
            platform = await stack.enter_async_context(apart(tmp_path, uri))
        yield Outside((await platform.port(Door).endpoint()).url, DataDir(tmp_path / "data"))


class Person:
    """Somebody with an access token."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.token = token
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    @classmethod
    async def log_in(cls, http: httpx.AsyncClient, name: str, password: str) -> "Person":
        """Wait until the door has seen the auth service, and log in."""
        async with asyncio.timeout(30):
            while True:
                answer = await http.post("/api/v1/login", json={"name": name, "password": password})
                if answer.status_code not in (404, 503):
                    break
                await asyncio.sleep(0.1)
        assert answer.status_code == 200, answer.text
        return cls(http, answer.json()["access_token"])

    async def ask(self, method: str, path: str, expected: int, **body: Any) -> Any:
        """The JSON of the answer, or its bytes when it is none."""
        async with asyncio.timeout(30):
            while True:
                answer = await self._http.request(
                    method, f"/api/v1{path}", headers=self._headers, json=body or None, timeout=30
                )
                if answer.status_code != 503:  # a service that has not been seen yet
                    break
                await asyncio.sleep(0.1)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        if not answer.headers.get("content-type", "").startswith("application/json"):
            return answer.content
        return answer.json()


@asynccontextmanager
async def desktop() -> AsyncIterator[ReplayHost]:
    tls = server_context(self_signed("desktop"))
    async with ReplayHost(paintings(60), tls=tls, username=USERNAME, password=Secret(PASSWORD)) as host:
        yield host


async def test_a_session_through_the_api(outside: Outside, tmp_path: Path) -> None:
    async with httpx.AsyncClient(base_url=outside.url, trust_env=False) as http, desktop() as host:
        admin = await Person.log_in(http, "admin", ADMIN_PASSWORD)
        made = await admin.ask("POST", "/accounts", 201, name="ada", role="user")
        ada = await Person.log_in(http, "ada", made["password"])
        new = {"name": "office", "address": "127.0.0.1", "port": host.port}
        credentials = {"username": USERNAME, "password": PASSWORD}
        await ada.ask("POST", "/hosts", 403, **new, credentials=credentials)
        await admin.ask("POST", "/hosts", 201, **new, credentials=credentials, access={"users": ["ada"]})

        granted = await ada.ask("POST", "/sessions", 201, host="office")
        endpoint = granted["endpoint"]
        client = await RdpClient.connect(
            endpoint["address"],
            endpoint["port"],
            token=granted["ticket"],
            width=800,
            height=600,
            fingerprint=endpoint["fingerprint"],
        )
        async with client:
            await client.wait_closed()

        session = await proven(ada)
        assert (session["user"], session["host"], session["end"]["reason"]) == ("ada", "office", "host-closed")
        await verify(outside, await ada.ask("GET", f"/sessions/{session['id']}/download", 200), tmp_path / "export")

        assert (await found(admin, "sessions", "office"))["items"][0]["id"] == session["id"]
        acts = {item["act"] for item in (await admin.ask("GET", "/audit", 200))["items"]}
        assert {"login.opened", "account.created", "host.added", "ticket.redeemed"} <= acts
        await ada.ask("GET", "/audit", 403)
        await ada.ask("GET", "/accounts", 403)


async def proven(person: Person) -> dict[str, Any]:
    """The person's one session, as soon as it is proven and the search knows of it."""
    async with asyncio.timeout(30):
        while True:
            items = (await person.ask("GET", "/sessions", 200))["items"]
            if items:
                detail: dict[str, Any] = await person.ask("GET", f"/sessions/{items[0]['id']}", 200)
                if detail["state"] == "proven":
                    return detail
            await asyncio.sleep(0.1)


async def found(person: Person, kind: str, text: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            answer: dict[str, Any] = await person.ask("GET", f"/search?kind={kind}&q={text}", 200)
            if answer["items"]:
                return answer
            await asyncio.sleep(0.1)


async def verify(outside: Outside, archive: bytes, folder: Path) -> None:
    """Unpack what was downloaded and verify it with the key that the platform's owner gave out."""
    bundle = await asyncio.to_thread(unpack, archive, folder)
    async with httpx.AsyncClient(base_url=outside.url, trust_env=False) as http:
        key = (await http.get("/log/key")).text.strip()
    paths = Paths(
        bundle=bundle,
        key=key,
        recording=bundle.parent / "chunks",
        identity=outside.data.keys / OWNER_IDENTITY.name,
        log=outside.data.of("block-manager"),
    )
    report = await asyncio.to_thread(verify_paths, paths)
    assert report.verified, [step for step in report.steps if step.outcome not in ("ok", "skipped")]
    assert {step.outcome for step in report.steps if step.name != "consistency"} == {"ok"}


def unpack(archive: bytes, folder: Path) -> Path:
    """The bundle among the files of a download."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    (bundle,) = folder.rglob("bundle.json")
    return bundle
