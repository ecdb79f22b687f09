"""session-api in a whole platform: connect, watch, download, verify, share, hold, delete, search, each through HTTP."""

import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucid.base.clock import SystemClock
from lucid.crypto import age
from lucid.crypto.identity import GATEWAY, ServiceSigner
from lucid.drivers.rdp.client import RdpClient
from lucid.model.entry import LogEntry
from lucid.model.host import HostAccess
from lucid.model.principal import Principal
from lucid.model.session import SessionState
from lucid.ports.access import Hosts
from lucid.ports.keeping import Keeping
from lucid.ports.log import LogStore
from lucid.ports.recording import Pipeline
from lucid.ports.search import Search
from lucid.runtime.keyring import Keyring
from lucid.runtime.platform import Platform
from lucid.verify.files import Paths, verify_paths
from tests.asking import person
from tests.flow.conftest import desktop
from tests.paintings import paintings
from tests.waiting import until

PAINTINGS = paintings(20)


@asynccontextmanager
async def api(platform: Platform, principal: Principal) -> AsyncIterator[httpx.AsyncClient]:
    """session-api as the api-gateway asks it for somebody."""
    signer = ServiceSigner(GATEWAY, Keyring.open(platform.data.keys).identity(GATEWAY), SystemClock())
    token = signer.token("session-api", principal).reveal()
    headers = {"Authorization": f"Bearer {token}"}
    url = platform.urls["session-api"] + "/api/v1"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
        yield http


async def recorded(platform: Platform, http: httpx.AsyncClient) -> str:
    """Connect by the API, look until the desktop ends, and wait for the proof by watching."""
    answer = await http.post("/sessions", json={"host": "office", "policy": {"clipboard": True}, "reason": "a test"})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert f"loadbalanceinfo:s:lucid={body['ticket']}" in body["rdp"]
    assert body["command"].startswith("xfreerdp office.rdp /sec:tls")
    async with await RdpClient.connect(
        body["endpoint"]["address"],
        body["endpoint"]["port"],
        token=body["ticket"],
        width=800,
        height=600,
        fingerprint=body["endpoint"]["fingerprint"],
    ) as client:
        await client.wait_closed()
    newest = (await platform.port(Pipeline).list())[0]
    states = [event["state"] async for event in watch(http, newest.id)]
    assert states[-1] == SessionState.PROVEN
    return newest.id


async def watch(http: httpx.AsyncClient, session: str, last: str = "") -> AsyncIterator[dict[str, Any]]:
    headers = {"Last-Event-ID": last} if last else {}
    async with http.stream("GET", f"/sessions/{session}/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


async def download(http: httpx.AsyncClient, session: str, folder: Path) -> Path:
    answer = await http.get(f"/sessions/{session}/download")
    assert answer.status_code == 200, answer.text
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"lucid-{session}"


def verified(platform: Platform, folder: Path, **options: Any) -> list[str]:
    """The names of the steps that held; the first that failed ends them, with its detail."""
    given = {"recording": folder / "chunks", "log": platform.data.of("block-manager"), **options}
    report = verify_paths(Paths(bundle=folder / "bundle.json", key=str(folder / "log.key"), **given))
    failed = [f"{step.name} failed: {step.detail}" for step in report.steps if step.outcome == "failed"]
    return [step.name for step in report.steps if step.outcome == "ok"] + failed


@pytest.fixture(autouse=True)
def _compare_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that the operator adds are told of by no event."""
    monkeypatch.setenv("LUCID_SESSION_API_CATCH_UP_S", "0.5")


@pytest.fixture
async def office(platform: Platform) -> AsyncIterator[Platform]:
    """A platform with a host to which everybody may connect, with a clipboard."""
    async with desktop(platform, PAINTINGS):
        policy = HostAccess().policy.model_copy(update={"clipboard": True})
        await platform.port(Hosts).change_access(name="office", access=HostAccess(roles=("user",), policy=policy))
        yield platform


async def entry_types(platform: Platform, session: str) -> list[str]:
    log = platform.port(LogStore)
    state = await log.state()
    entries = [LogEntry.from_bytes(await log.entry(index=index)) for index in range(state.size)]
    return [entry.type for entry in entries if entry.session == session]


async def until_logged(platform: Platform, session: str, wanted: str) -> None:
    async def logged() -> bool:
        return wanted in await entry_types(platform, session)

    await until(logged, within_s=20)


async def test_from_a_ticket_to_a_verified_download(office: Platform, tmp_path: Path) -> None:
    async with api(office, person()) as ada, api(office, person("bob")) as bob:
        session = await recorded(office, ada)
        assert [event["state"] async for event in watch(ada, session, "proven")] == []
        folder = await download(ada, session, tmp_path)
        steps = verified(office, folder, identity=office.data.keys / "owner-identity")
        assert {"closing-inclusion", "chunk-files", "decryption", "log", "sequence"} <= set(steps)
        bundle = (await ada.get(f"/sessions/{session}/bundle")).json()
        assert (await ada.get(f"/sessions/{session}/manifest")).json() == bundle["manifest"]
        chunks = (await ada.get(f"/sessions/{session}/chunks")).json()
        assert chunks == {"items": bundle["chunks"], "next": None}
        chunk = await ada.get(f"/sessions/{session}/chunks/0")
        assert chunk.content == (folder / "chunks" / bundle["chunks"][0]["digest"]).read_bytes()
        assert (await ada.get(f"/sessions/{session}/chunks/99")).status_code == 404
        for path in ("", "/manifest", "/chunks", "/chunks/0", "/bundle", "/download", "/events", "/shares"):
            assert (await bob.get(f"/sessions/{session}{path}")).status_code == 404
        mine, theirs = (await ada.get("/sessions")).json(), (await bob.get("/sessions")).json()
        assert ([one["id"] for one in mine["items"]], theirs["items"]) == ([session], [])
        await until_logged(office, session, "recording.exported")


async def test_an_auditor_opens_what_was_shared(office: Platform, tmp_path: Path) -> None:
    async with api(office, person()) as ada, api(office, person("root", "admin")) as root:
        session = await recorded(office, ada)
        identity = age.new_identity()
        recipient = age.recipient_of(identity)
        assert (await ada.post(f"/sessions/{session}/shares", json={"recipient": recipient})).status_code == 403
        shared = await root.post(f"/sessions/{session}/shares", json={"recipient": recipient})
        assert shared.status_code == 201, shared.text
        assert (await ada.get(f"/sessions/{session}/shares")).json()["items"] == [shared.json()]
        assert (await root.post(f"/sessions/{session}/shares", json={"recipient": recipient})).json() == shared.json()
        folder = await download(root, session, tmp_path)
        auditor = tmp_path / "auditor"
        auditor.write_text(identity.reveal())
        assert "decryption" in verified(office, folder, identity=auditor, shares=folder / "shares.json")
        assert "decryption failed" in verified(office, folder, identity=auditor)[-1]
        assert (await entry_types(office, session)).count("recording.shared") <= 1
        await until_logged(office, session, "recording.shared")


async def test_a_deleted_recording_is_gone_and_other_proofs_still_hold(office: Platform, tmp_path: Path) -> None:
    async with api(office, person()) as ada, api(office, person("root", "admin")) as root:
        session, other = await recorded(office, ada), await recorded(office, ada)
        before = await download(ada, session, tmp_path / "before")
        assert (await root.put(f"/sessions/{session}/hold", json={"reason": "a case"})).status_code == 200
        refused = await root.delete(f"/sessions/{session}")
        assert (refused.status_code, refused.json()["detail"]) == (409, "the recording is held by root")
        assert (await root.delete(f"/sessions/{session}/hold")).status_code == 204
        deleted = await root.delete(f"/sessions/{session}")
        assert (deleted.status_code, deleted.json()["deletion"]["complete"]) == (202, True)
        for path in ("/manifest", "/bundle", "/download", "/chunks/0"):
            gone = await ada.get(f"/sessions/{session}{path}")
            assert (gone.status_code, "was deleted on" in gone.json()["detail"]) == (404, True)
        assert (await ada.get(f"/sessions/{session}")).json()["deleted"]
        assert await root.put(f"/sessions/{session}/hold", json={}) is not None
        await until_logged(office, session, "recording.deleted")
        # The log is whole without the body, the other session verifies with it, and so does what was proven before.
        after = await download(ada, other, tmp_path / "after")
        assert verified(office, after)[-1] == "sequence"
        assert verified(office, before, recording=None)[-1] == "sequence"
        found = (await root.get("/search", params={"kind": "sessions", "deleted": "true"})).json()
        assert [hit["id"] for hit in found["items"]] == [session]
        stored = [path.name for path in office.data.of("session-storage").rglob("*") if path.is_file()]
        digests = {path.name for path in (before / "chunks").iterdir()}
        assert digests
        assert digests.isdisjoint(stored)


async def test_search_is_rebuilt_while_serving(office: Platform) -> None:
    async with api(office, person()) as ada, api(office, person("root", "admin")) as root:
        session = await recorded(office, ada)

        async def hits(kind: str, **query: str) -> list[str]:
            answer = await root.get("/search", params={"kind": kind, **query})
            assert answer.status_code == 200, answer.text
            return [hit["id"] for hit in answer.json()["items"]]

        assert await until(lambda: hits("sessions", q="office ada", state="proven"), within_s=20) == [session]
        assert await until(lambda: hits("hosts", q="OFFICE")) == ["office"]
        assert await hits("audit", act="connection.granted", user="ada", host="office")
        search = office.port(Search)
        assert (await root.post("/search/rebuild")).status_code == 202
        while (await search.rebuild_state(wait_s=5)).running:
            assert await hits("sessions", q="office") == [session]
        state = await search.rebuild_state(wait_s=0)
        assert (state.error, state.indexed >= 4) == ("", True)
        assert await hits("sessions", q="office") == [session]
        assert (await ada.post("/search/rebuild")).status_code == 403
        assert (await ada.get("/search", params={"kind": "accounts"})).status_code == 403


async def test_the_operator_keeps_recordings_too(office: Platform) -> None:
    keeping = office.port(Keeping)
    async with api(office, person()) as ada:
        session = await recorded(office, ada)
    held = await keeping.hold(session=session, reason="a case")
    assert held.hold is not None
    assert held.hold.by == "lucid-cli"
    assert (await keeping.lift(session=session)).hold is None
    kept = await keeping.delete(session=session)
    assert kept.deletion is not None
    assert kept.deletion.complete
