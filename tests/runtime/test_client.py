"""The command line's way to a running platform."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from lucid.base.errors import Unavailable
from lucid.catalog.services import SERVICES
from lucid.ports.log import LogWriter
from lucid.runtime.client import RemotePlatform
from lucid.runtime.paths import DataDir


async def test_a_platform_that_ends_meanwhile_is_said_to_have_ended(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.create()
    process = await asyncio.create_subprocess_exec("sleep", "60")
    urls = {service.name: "http://127.0.0.1:9" for service in SERVICES}
    data.run_file.write_text(json.dumps({"pid": process.pid, "urls": urls}))
    async with RemotePlatform.of(data) as platform:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
            await platform.port(LogWriter).status()
        process.kill()
        await process.wait()
        with pytest.raises(Unavailable, match=rf"the platform on {tmp_path} has ended: start it again"):
            await platform.port(LogWriter).status()
    with pytest.raises(Unavailable, match="has ended"):
        RemotePlatform.of(data)


def test_no_platform_ran_yet(tmp_path: Path) -> None:
    assert "LUCID_CONSUL_URL" not in os.environ
    with pytest.raises(Unavailable, match="start one with `lucid up`"):
        RemotePlatform.of(DataDir(tmp_path))


def test_a_power_loss_left_nothing_of_the_address(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.create()
    data.run_file.touch()
    with pytest.raises(Unavailable, match="no platform runs on"):
        RemotePlatform.of(data)
