"""All containers on a real engine: the spec's own commands, what `lucid deploy verify` finds, and a desktop that is
recorded and proven through them."""

import asyncio
import getpass
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from lucid.base.clock import SystemClock
from lucid.deploy.launch.deployments import event_of
from lucid.deploy.launch.record import Act, Record, Unsaid
from lucid.deploy.launch.sets import Sets
from lucid.model.entry import LogEntry
from lucid.model.session import EndReason
from lucid.ports.log import DataChain, LogStore
from lucid.runtime.client import RemotePlatform
from lucid.runtime.export import export_paths
from lucid.runtime.picture import read_identity, recorded_frames, screen_at
from tests.containers.terminal import wait_for
from tests.containers.throwaway import NAME, PORT, TAG, Source
from tests.containers.whole_set import CATALOG, NAMES, WholeSet
from tests.deploy.test_spec import EXTERNAL, NETWORKS, PHASES, PLANNED, PORTS
from tests.flow.test_api import Person, proven, unpack
from tests.real.rdp_client import Display, freerdp, running_display, save_png, screenshot
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="takes root and a container engine"),
    pytest.mark.timeout(900),
]

WIDTH, HEIGHT = 1024, 768
TERMINAL_PIXELS = 100_000
WHITE = b"\xff\xff\xff"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSet]:
    """All containers, healthy."""
    made = WholeSet.prepared(tmp_path_factory.mktemp("whole"))
    try:
        made.bring_up()
        yield made
    finally:
        made.remove(NAMES)


def test_the_spec_s_verification_commands(running: WholeSet) -> None:
    table = running.shell(r'docker ps --format "table {{.Names}}\t{{.Status}}\t{{.Ports}}"').splitlines()
    assert {line.split()[0] for line in table if "(healthy)" in line} >= set(NAMES)
    assert running.shell("docker ps --filter health=healthy").count("(healthy)") >= len(NAMES)
    on_network = running.shell("docker network inspect lucid-pi-network")
    for name in NAMES:
        assert f'"Name": "{name}"' in on_network
        assert '"Mounts"' in running.shell(f'docker inspect {name} | grep -A 10 "Mounts"')
        if name == "rdp-xrdp":
            continue
        refused = running.shell(f'docker exec {name} sh -c "echo test" 2>&1 | grep "executable file not found"; true')
        assert "executable file not found" in refused
        assert "executable file not found" in running.shell(f"docker exec {name} id 2>&1; true")


def test_the_spec_s_rows_hold_for_what_runs(running: WholeSet) -> None:
    wanted = {name for names in PHASES.values() for name in names} - PLANNED
    assert wanted == set(NAMES)
    documents = {name: running.inspect(name) for name in NAMES}
    for name, document in documents.items():
        image = f"pickme/lucid-{name.removeprefix('lucid-')}:{running.environment['LUCID_IMAGE_TAG']}"
        assert document["Config"]["Image"] == image
        assert document["Config"]["User"] == ("0:0" if name == "rdp-xrdp" else "65532:65532")
        assert "NET_BIND_SERVICE" not in str(document["HostConfig"]["CapAdd"])
    for name, port in PORTS.items():
        assert f"LUCID_HTTP_PORT={port}" in documents[name]["Config"]["Env"]
    for name, offered in EXTERNAL.items():
        (bound,) = documents[name]["NetworkSettings"]["Ports"][f"{offered}/tcp"]
        assert bound["HostPort"] == str(offered)
    for network, (subnet, gateway) in NETWORKS.items():
        shown = running.shell(f"docker network inspect {network}")
        assert f'"Subnet": "{subnet}"' in shown
        assert f'"Gateway": "{gateway}"' in shown


def test_logs_are_json_on_the_host(running: WholeSet) -> None:
    for service in CATALOG.services:
        lines = [
            line
            for path in Path(running.environment["LUCID_LOGS_ROOT"], service.name).iterdir()
            for line in path.read_text().splitlines()
        ]
        assert lines, service.name
        assert all({"event", "level", "timestamp"} <= json.loads(line).keys() for line in lines), service.name


def test_verify_finds_nothing(running: WholeSet) -> None:
    assert running.verify() == {}


def test_verify_finds_what_somebody_changed(running: WholeSet) -> None:
    """A restart policy taken away, a way onto the isolated network, and a password as an argument."""
    password = (running.secrets / "redis-password").read_text().strip()
    running.shell("docker update --restart no data-chain")
    running.shell("docker network connect lucid-tron-isolated session-api")
    waiting = ("docker", "exec", "--interactive", "session-storage", "/usr/bin/python3", "-c", "input()", password)
    with subprocess.Popen(waiting, env=running.environment, stdin=subprocess.PIPE) as leak:
        try:
            found = running.verify()
        finally:
            leak.communicate(b"\n")
            running.shell("docker update --restart unless-stopped data-chain")
            running.shell("docker network disconnect lucid-tron-isolated session-api")
    assert {check: [where for where, _ in failures] for check, failures in found.items() if check != "secrets"} == {
        "restart": ["data-chain"],
        "networks": ["session-api"],
    }
    assert {(where, problem.split(" stands in ")[0]) for where, problem in found["secrets"]} == {
        ("session-storage", "redis-password")
    }


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    with running_display(tmp_path, WIDTH, HEIGHT) as found:
        yield found


@pytest.fixture
async def admin(running: WholeSet) -> AsyncIterator[Person]:
    """Logged in through the published port; the gateway's certificate is its own."""
    async with httpx.AsyncClient(base_url="https://127.0.0.1:8080", trust_env=False, verify=False) as http:
        yield await Person.log_in(http, "admin", running.administrator_password.reveal())


async def test_a_desktop_is_recorded_and_proven(
    running: WholeSet, admin: Person, display: Display, tmp_path: Path
) -> None:
    await admin.ask("POST", "/desktops", 201, name="desk")
    granted = await admin.ask("POST", "/sessions", 201, host="desk")
    endpoint = granted["endpoint"]
    assert (endpoint["address"], endpoint["port"]) == ("127.0.0.1", 3389)
    options = (f"/size:{WIDTH}x{HEIGHT}", f"/load-balance-info:lucid={granted['ticket']}")
    with freerdp(display, tmp_path, endpoint["port"], *options):
        await asyncio.to_thread(wait_for, lambda: shows_desktop(display), "the desktop is drawn", 60)
        shown = await asyncio.to_thread(still, display)
    session = await proven(admin)
    assert (session["host"], session["end"]["reason"]) == ("desk", EndReason.CLIENT_CLOSED)

    data = str(running.data.root)
    report = await asyncio.to_thread(running.lucid, "--data-dir", data, "session", "verify", session["id"])
    assert "VERIFIED" in report.upper()
    archive = await admin.ask("GET", f"/sessions/{session['id']}/download", 200)
    bundle = await asyncio.to_thread(unpack, archive, tmp_path / "export")
    export = export_paths(bundle.parent)
    offline = ("verify", str(bundle), "--recording", str(export.chunks), "--key", str(export.key))
    await asyncio.to_thread(running.lucid, *offline)
    identity = read_identity(running.secrets / "keys/owner-identity")
    recorded = await asyncio.to_thread(lambda: screen_at(recorded_frames(export, identity)).rgb())
    save_png(shown, WIDTH, HEIGHT, tmp_path / "shown.png")
    save_png(recorded, WIDTH, HEIGHT, tmp_path / "recorded.png")
    assert recorded == shown, f"see {tmp_path}"


def still(display: Display) -> bytes:
    """The picture, once it stays the same for a second."""
    shots = [b"", screenshot(display, WIDTH, HEIGHT)]

    def is_still() -> bool:
        time.sleep(1)
        shots.append(screenshot(display, WIDTH, HEIGHT))
        return shots[-1] == shots[-2]

    wait_for(is_still, "the desktop is still", 30)
    return shots[-1]


def shows_desktop(display: Display) -> bool:
    """An open terminal: neither the client's black window nor a login screen has as much white."""
    return screenshot(display, WIDTH, HEIGHT).count(WHITE) > TERMINAL_PIXELS


def test_a_container_that_dies_comes_back(running: WholeSet) -> None:
    """Not `docker kill`, which the restart policy takes for somebody's wish."""
    os.kill(running.inspect("data-chain")["State"]["Pid"], signal.SIGKILL)
    wait_for(lambda: running.inspect("data-chain")["RestartCount"] == 1, "it is started again", 30)
    running.wait_healthy(["data-chain"])
    assert running.verify() == {}


def test_one_command_brings_all_up(running: WholeSet) -> None:
    """The master file, over the data of the phases' run."""
    running.remove(NAMES)
    running.bring_up_at_once()
    assert running.verify() == {}


@pytest.fixture
def more(running: WholeSet, tmp_path: Path) -> Iterator[Source]:
    """`lucid` whose catalog has a service more, with images of that, for the same deployment."""
    place = running.place
    folders = {"DEPLOY_DIR": place.deploy_dir, "DEPLOY_IDENTITY": place.identity, "RUN_DIR": place.run_dir}
    environment = {**running.environment, **{f"LUCID_{name}": str(path) for name, path in folders.items()}}
    made = Source.copied(tmp_path / "source", environment | {"LUCID_IMAGE_TAG": TAG})
    try:
        made.build()
        yield made
    finally:
        running.remove((*NAMES, NAME))
        pinned = [image.pinned for one in Sets(place.sets).all() for image in one.images.values()]
        made.remove_images(pinned)


async def test_a_folder_and_a_literal_are_a_container_more(running: WholeSet, more: Source) -> None:
    """Brought up phase by phase with all others by `lucid deploy up`, verified, and told to the log, as is what waited
    for it."""
    waiting = Record(time=SystemClock().now(), act=Act.STOPPED, set=0, runs=0, by="nobody", lucid="0", seconds=1)
    Unsaid(running.place.deploy_dir / "unsaid.jsonl").add(event_of(waiting, None, None))
    platform = running.environment["LUCID_PLATFORM"]
    await asyncio.to_thread(more.lucid, "deploy", "configure", f"LUCID_IMAGE_TAG={TAG}", f"LUCID_PLATFORM={platform}")
    lines = (await asyncio.to_thread(more.lucid, "deploy", "up", "--json")).splitlines()
    *events, ended = map(json.loads, lines)
    assert [event["number"] for event in events if event["event"] == "phase-ready"] == [1, 2, 3, 4]
    assert (ended["well"], ended["log"]) == (True, "told")
    assert {*NAMES, NAME} == set(ended["changed"])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", trust_env=False) as http:
        assert (await http.get("/greeting")).text == "good day"
    report = json.loads(await asyncio.to_thread(more.lucid, "deploy", "verify", "--json"))
    assert [check["failures"] for check in report["checks"] if not check["ok"]] == []
    async with RemotePlatform.of(running.data) as there:

        async def both() -> list[dict[str, str]]:
            return found if len(found := await _deployments(there)) > 1 else []

        found = await until(both, within_s=20)
    assert [(body["set"], body["by"], body.get("data-chain", "")) for body in found] == [
        ("0", "nobody", ""),
        ("1", getpass.getuser(), running.inspect("data-chain")["Image"]),
    ]
    await asyncio.to_thread(more.lucid, "deploy", "down")
    assert not {*NAMES, NAME} & set(running.shell("docker ps --all --format '{{.Names}}'").split())


async def _deployments(platform: RemotePlatform) -> list[dict[str, str]]:
    """What the log's entries of deployments say."""
    store, bodies = platform.port(LogStore), platform.port(DataChain)
    size = (await store.state()).size
    entries = [LogEntry.from_bytes(await store.entry(index=index)) for index in range(size)]
    ours = [entry for entry in entries if entry.type.startswith("deployment.")]
    return [json.loads(await bodies.get(digest=entry.body)) for entry in ours]
