"""node-management: nodes are registered in the log, heard by signed heartbeats, and their month is computed."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from lucid.access.acts import Acts
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from lucid.crypto.note import SignerKey, sign
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.node import Heartbeat, Node, NodeState, heartbeat_text
from lucid.nodes.facts import Work
from lucid.nodes.statement import Statement, check
from lucid.ports.access import AuditEvent
from lucid.ports.log import Anchoring, DataChain, LogStore, TreeState
from lucid.services.node_management.routes import parse_credits, routes
from lucid.services.node_management.service import NodeManager
from lucid.services.node_management.settings import NodeManagementSettings
from tests.asking import asking, person
from tests.clocks import TurnedClock
from tests.nodes.node_log import KEY, NodeLog, at

OWN, PI = SignerKey.generate("own"), SignerKey.generate("pi")
MONTH = "2026-11"


class Log(NodeLog):
    async def state(self) -> TreeState:  # type: ignore[override]
        return await self.state_of()


class Bench:
    """A service with its stores, not started: tests call what its tasks would."""

    def __init__(self, documents: SqliteDocuments) -> None:
        self.log = Log()
        self.clock = TurnedClock(at(1))
        self.documents = documents
        self.audited: list[AuditEvent] = []
        self.manager = self.again()

    def again(self) -> NodeManager:
        return NodeManager(
            NodeManagementSettings(node_key=OWN.format()),
            documents=self.documents,
            anchoring=cast(Anchoring, self.log),
            store=cast(LogStore, self.log),
            bodies=cast(DataChain, self.log),
            clock=self.clock,
        )

    def turn(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.log.now = self.clock.now()

    async def record(self, *, event: AuditEvent) -> None:
        self.audited.append(event)

    def beat(self, sequence: int, *, key: SignerKey = PI, node: str = "pi", time: str = "") -> str:
        heartbeat = Heartbeat(node=node, sequence=sequence, time=time or self.clock.now())
        return sign(heartbeat_text(heartbeat), key)

    def http(self, user: str | None = "root", role: str = "admin") -> httpx.AsyncClient:
        acts = Acts(audit=self, clock=self.clock)  # type: ignore[arg-type]
        return asking(routes(self.manager, acts), person(user, role) if user else None)  # type: ignore[arg-type]


def pi(**changed: object) -> Node:
    node = Node(name="pi", key=PI.verifier.format(), recorders=("r-pi",), registered=at(1))
    return Node.model_validate({**node.model_dump(), **changed})


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    documents = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    yield Bench(documents)
    await documents.aclose()


async def test_a_node_is_in_the_log_before_it_is_here(bench: Bench) -> None:
    await bench.manager.register(node=pi())
    (entry,) = bench.log.entries
    assert entry.type == "node.registered"
    status = await bench.manager.get(name="pi")
    assert (status.heard, status.own, status.node.recorders) == (None, False, ("r-pi",))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({}, "name"),
        ({"name": "other", "recorders": ()}, "key"),
        ({"name": "other", "key": OWN.verifier.format()}, "recorders"),
    ],
)
async def test_names_keys_and_recorders_are_one_node_s(bench: Bench, changed: dict[str, object], field: str) -> None:
    await bench.manager.register(node=pi())
    with pytest.raises(Conflict) as refusal:
        await bench.manager.register(node=pi(**changed))
    assert refusal.value.field == field
    assert len(bench.log.entries) == 1


async def test_a_heartbeat_counts_its_minute_once(bench: Bench) -> None:
    await bench.manager.register(node=pi())
    for sequence in range(1, 131):
        await bench.manager.heartbeat(note=bench.beat(sequence))
        bench.turn(30)
    assert (await bench.manager.get(name="pi")).heard == at(1, 1, 4).replace("00.000000", "30.000000")
    await bench.manager._close_hours()
    (closed,) = [entry for entry in bench.log.entries if entry.type == "node.availability"]
    assert b'"heard":"' + b"1" * 60 + b'"' in bench.log.bodies[closed.body]
    (found,) = parse_credits(await bench.manager.credits(month=MONTH))
    assert (found.heard_minutes, found.due_minutes, found.eligible) == (60, 60, True)


async def test_heartbeats_that_are_refused(bench: Bench) -> None:
    await bench.manager.register(node=pi())
    await bench.manager.heartbeat(note=bench.beat(5))
    for note, error in (
        (bench.beat(6, key=OWN), Unauthenticated),
        (bench.beat(6, node="nobody"), Unauthenticated),
        (bench.beat(5), InvalidInput),
        (bench.beat(4), InvalidInput),
        (bench.beat(6, time=at(1, 1)), InvalidInput),
        ("not a note", InvalidInput),
        ("", InvalidInput),
        ("x" * 5000, InvalidInput),
        (sign("{}\n", PI), InvalidInput),
        (sign("text\n", PI), InvalidInput),
    ):
        with pytest.raises(error):
            await bench.manager.heartbeat(note=note)
    await bench.manager.heartbeat(note=bench.beat(6))


async def test_heartbeats_at_the_same_time(bench: Bench) -> None:
    await bench.manager.register(node=pi())
    notes = [bench.beat(sequence) for sequence in range(1, 9)]
    results = await asyncio.gather(*(bench.manager.heartbeat(note=note) for note in notes), return_exceptions=True)
    assert None in results
    assert all(result is None or isinstance(result, InvalidInput) for result in results)


async def test_the_own_node_registers_itself_and_goes_on_after_a_restart(bench: Bench) -> None:
    await bench.manager._beat()
    await bench.again()._beat()
    (status,) = await bench.manager.list()
    assert (status.node.name, status.own, status.heard) == ("local", True, at(1))
    with pytest.raises(Forbidden):
        await bench.manager.remove(name="local")


async def test_maintenance_and_removal(bench: Bench) -> None:
    await bench.manager.register(node=pi())
    assert (await bench.manager.set_state(name="pi", state=NodeState.MAINTENANCE)).state is NodeState.MAINTENANCE
    await bench.manager.set_state(name="pi", state=NodeState.MAINTENANCE)
    await bench.manager.remove(name="pi")
    assert [entry.type for entry in bench.log.entries] == ["node.registered", "node.state", "node.removed"]
    for call in (bench.manager.remove(name="pi"), bench.manager.get(name="pi")):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(Unauthenticated):
        await bench.manager.heartbeat(note=bench.beat(1))


async def test_the_log_is_read_once_and_goes_on_where_it_was(bench: Bench) -> None:
    await bench.manager._beat()
    for sequence in range(1, 400):
        bench.log.close("r1", sequence, at(1), Work(duration_us=1, recorded_bytes=1, end="client-closed"))
    assert parse_credits(await bench.manager.credits(month=MONTH))[0].sessions == 399
    bench.log.close("r1", 400, at(1), None)
    assert parse_credits(await bench.again().credits(month=MONTH))[0].sessions == 400


async def test_a_statement_of_many_entries_holds_nobody_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.manager._beat()
    made_in = list[threading.Thread]()
    real = Statement.to_bytes

    def to_bytes(statement: Statement) -> bytes:
        made_in.append(threading.current_thread())
        return real(statement)

    monkeypatch.setattr(Statement, "to_bytes", to_bytes)
    await bench.manager.statement(name="local", month=MONTH)
    assert made_in
    assert threading.main_thread() not in made_in


async def test_a_statement_of_a_month_that_is_over_is_in_the_log_and_stays(bench: Bench) -> None:
    await bench.manager._beat()
    running = Statement.from_bytes(await bench.manager.statement(name="local", month=MONTH))
    assert check(running, bench.log, KEY.verifier) == running.credits
    assert "node.statement" not in {entry.type for entry in bench.log.entries}
    bench.turn(31 * 24 * 3600)
    made = await bench.manager.statement(name="local", month=MONTH)
    assert [entry.type for entry in bench.log.entries][-1] == "node.statement"
    bench.log.register("pi", at(1), "r-pi")
    assert await bench.again().statement(name="local", month=MONTH) == made
    with pytest.raises(NotFound):
        await bench.manager.statement(name="pi", month="2026-10")


async def test_routes(bench: Bench) -> None:
    async with bench.http() as http:
        new = {"name": "pi", "key": PI.verifier.format(), "recorders": ["r-pi"]}
        assert (await http.post("/api/v1/nodes", json=new)).status_code == 201
        assert (await http.post("/api/v1/nodes", json=new)).status_code == 409
        assert (await http.post("/api/v1/nodes", json={**new, "key": "pi+00000000+AAAA"})).status_code in (400, 409)
        assert (await http.post("/api/v1/nodes", json={**new, "key": "no key"})).status_code == 400
        assert [item["node"]["name"] for item in (await http.get("/api/v1/nodes")).json()["items"]] == ["pi"]
        assert (await http.patch("/api/v1/nodes/pi", json={"state": "maintenance"})).json()["state"] == "maintenance"
        assert (await http.patch("/api/v1/nodes/pi", json={"state": "gone"})).status_code == 400
        listed = (await http.get("/api/v1/credits", params={"month": MONTH})).json()["items"]
        assert [item["node"] for item in listed] == ["pi"]
        assert (await http.get("/api/v1/credits", params={"month": "2026-13"})).status_code == 400
        assert (await http.get(f"/api/v1/nodes/pi/statements/{MONTH}")).json()["node"] == "pi"
        assert (await http.delete("/api/v1/nodes/pi")).status_code == 204
        assert (await http.delete("/api/v1/nodes/pi")).status_code == 404
    assert [(event.act, event.actor) for event in bench.audited] == [
        ("node.registered", "root"),
        ("node.state", "root"),
        ("node.removed", "root"),
    ]


async def test_a_heartbeat_needs_no_login_but_the_node_s_key(bench: Bench) -> None:
    await bench.manager.register(node=pi())
    async with bench.http(None) as http:
        path = "/api/v1/nodes/pi/heartbeats"
        assert (await http.post(path, json={"note": bench.beat(1)})).status_code == 204
        assert (await http.post(path, json={"note": bench.beat(2, key=OWN)})).status_code == 401
        assert (await http.post("/api/v1/nodes/local/heartbeats", json={"note": bench.beat(3)})).status_code == 401
        assert (await http.get("/api/v1/nodes")).status_code == 401
    async with bench.http("ada", "user") as http:
        assert (await http.get("/api/v1/nodes")).status_code == 403
