"""Every service apart, under load, killed one after the other: clear answers meanwhile, nothing acknowledged is lost,
and all is well again without help."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucid.ports.access import Door
from tests.contract.conftest import mongodb_uri as mongodb_uri  # a fixture
from tests.flow.apart import Services, all_services
from tests.flow.test_api import ADMIN_PASSWORD, Person

pytestmark = pytest.mark.timeout(600)

HEAL_LIMIT_S = 10.0
"""From the moment that the killed service is ready again."""

KILLED = (
    "lucid-auth-service",
    "service-mesh",
    "block-manager",
    "blockchain-engine",
    "data-chain",
    "session-anchoring",
    "session-pipeline",
    "rdp-server-manager",
    "rdp-controller",
    "session-api",
    "node-management",
)


class Load:
    """Somebody who registers hosts and looks at things, all the time."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}
        self._number = 0
        self.acknowledged: list[str] = []
        self.refused: list[httpx.Response] = []
        self.bad: list[str] = []
        self.well_since: float | None = None

    async def run(self) -> None:
        while True:
            answers = [await self._register(), *[await self._get(path) for path in ("hosts", "sessions", "nodes")]]
            if all(answer is not None and answer.is_success for answer in answers):
                self.well_since = self.well_since or time.monotonic()
            else:
                self.well_since = None
            await asyncio.sleep(0.05)

    async def _register(self) -> httpx.Response | None:
        self._number += 1
        name = f"host-{self._number}"
        body = {"name": name, "address": "192.0.2.1", "credentials": {"username": "a", "password": "b"}}
        answer = await self._ask("POST", "hosts", body)
        if answer is not None and answer.status_code == 201:
            self.acknowledged.append(name)
        return answer

    async def _get(self, path: str) -> httpx.Response | None:
        return await self._ask("GET", path, None)

    async def _ask(self, method: str, path: str, body: Any) -> httpx.Response | None:
        try:
            answer = await self._http.request(
                method, f"/api/v1/{path}", json=body, headers=self._headers, timeout=HEAL_LIMIT_S * 2
            )
        except httpx.TransportError as error:
            self.bad.append(f"{method} {path}: {error!r}")
            return None
        if answer.is_success:
            return answer
        clear = (
            answer.status_code == 503
            and "retry-after" in answer.headers
            and answer.headers["content-type"] == "application/problem+json"
        )
        self.refused.append(answer)
        if not clear:
            self.bad.append(f"{method} {path}: {answer.status_code} {dict(answer.headers)} {answer.text[:300]}")
        return answer

    async def well(self) -> None:
        """Return once a whole round has succeeded."""
        self.well_since = None
        while self.well_since is None:  # noqa: ASYNC110 - the load tells nobody
            await asyncio.sleep(0.02)

    async def hosts(self) -> set[str]:
        """The names of all hosts."""
        names: set[str] = set()
        after = ""
        while True:
            query = f"?limit=200&after={after}" if after else "?limit=200"
            page = (await self._http.get(f"/api/v1/hosts{query}", headers=self._headers, timeout=30)).json()
            names.update(item["name"] for item in page["items"])
            if not page["next"]:
                return names
            after = page["next"]


@pytest.fixture
async def services(mongodb_uri: str, tmp_path: Path) -> AsyncIterator[Services]:
    uri, password = tmp_path / "mongodb-uri", tmp_path / "administrator-password"
    uri.write_text(mongodb_uri)
    password.write_text(ADMIN_PASSWORD)
    environment = {
        "LUCID_MONGODB_URI_FILE": str(uri),
        "LUCID_AUTH_SERVICE_ADMINISTRATOR_PASSWORD_FILE": str(password),
        "LUCID_API_GATEWAY_REQUESTS_PER_MINUTE_USER": "100000",
        "LUCID_API_GATEWAY_REQUESTS_PER_MINUTE_TOKEN": "100000",
        "LUCID_API_GATEWAY_REQUESTS_PER_MINUTE_ADDRESS": "100000",
    }
    async with all_services(tmp_path, **environment) as running:
        yield running


async def test_each_service_killed_under_load(services: Services) -> None:
    async with services.platform() as platform:
        url = (await platform.port(Door).endpoint()).url
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        admin = await Person.log_in(http, "admin", ADMIN_PASSWORD)
        load = Load(http, admin.token)
        working = asyncio.create_task(load.run())
        try:
            async with asyncio.timeout(60):
                await load.well()
            load.bad.clear()  # services that had not been seen yet
            for name in KILLED:
                await services.kill(name)
                await asyncio.sleep(0.5)
                await services.start(name)
                began = time.monotonic()
                async with asyncio.timeout(60):
                    await load.well()
                healed_s = time.monotonic() - began
                assert healed_s < HEAL_LIMIT_S, f"{name}: well again after {healed_s:.1f} s"
                assert not load.bad, f"{name}: {load.bad[:3]}"
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        assert load.refused, "nothing was ever away"
        assert len(load.acknowledged) > len(KILLED)
        assert set(load.acknowledged) <= await load.hosts()
