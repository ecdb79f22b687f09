"""The same platform with every service in a process of its own, its needs bound over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.model.session import EndReason
from lucid.ports.recording import Pipeline
from tests.contract.conftest import mongodb_uri as mongodb_uri  # a fixture
from tests.faults.marked import marked_pictures, recorded_pictures
from tests.faults.proof import owner, proven, verified
from tests.flow.apart import Services, all_services
from tests.flow.conftest import connect, desktop

PICTURES = 400
STORES = ("sqlite", "mongodb")

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(params=STORES)
async def services(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Services]:
    environment = {}
    if request.param == "mongodb":
        uri = tmp_path / "mongodb-uri"
        uri.write_text(request.getfixturevalue("mongodb_uri"))
        environment["LUCID_MONGODB_URI_FILE"] = str(uri)
    async with all_services(tmp_path, **environment) as running:
        yield running


async def test_a_session_through_services_that_are_killed_meanwhile(services: Services, tmp_path: Path) -> None:
    async with services.platform() as platform, desktop(platform, marked_pictures(PICTURES)):
        async with await connect(platform) as client:
            await client.wait_received(100_000)
            await services.kill("session-pipeline", "session-anchoring")
            await client.wait_closed()
        # The gateway has the end still to tell; what was killed comes back, and goes on by itself.
        await services.start("session-anchoring", "session-pipeline")
        (session,) = await platform.port(Pipeline).list()
        session = await proven(platform, session.id)
        assert session.end is not None
        assert session.end.reason is EndReason.HOST_CLOSED
        export = await verified(platform, services.data, session.id, tmp_path / "export")
        assert recorded_pictures(export, owner(services.data)) == list(range(PICTURES))

        async with await connect(platform) as client:
            await client.wait_closed()
        for session in await platform.port(Pipeline).list():
            await proven(platform, session.id)
    assert set((await services.stop()).values()) == {0}
