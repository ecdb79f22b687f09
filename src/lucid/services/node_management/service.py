"""Nodes, their presence and their credits put together (port Nodes)."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import structlog

import lucid
from lucid.base.clock import Clock
from lucid.base.errors import Conflict, LucidError, NotFound
from lucid.base.tasks import Tasks
from lucid.crypto.note import SignerKey, sign
from lucid.model.canonical import digest_of
from lucid.model.node import NODE_STATEMENT, Heartbeat, Node, NodeState, heartbeat_text
from lucid.nodes.credits import NodeCredits, compute
from lucid.nodes.facts import Fact, settled
from lucid.nodes.month import bounds
from lucid.nodes.statement import Statement
from lucid.ports.log import Anchoring, DataChain, LogStore
from lucid.ports.nodes import NodeStatus
from lucid.ports.stores import Documents
from lucid.services.node_management.ledger import Ledger
from lucid.services.node_management.presence import Presence
from lucid.services.node_management.register import NodeRegister
from lucid.services.node_management.settings import NodeManagementSettings

STATEMENTS = "node_statements"
_RETRY_S = 2.0

_log = structlog.get_logger()


class NodeManager:
    """Its tasks, between start() and stop(): the own node's heartbeats, closing hours, following the log."""

    def __init__(
        self,
        settings: NodeManagementSettings,
        *,
        documents: Documents,
        anchoring: Anchoring,
        store: LogStore,
        bodies: DataChain,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._anchoring = anchoring
        self._clock = clock
        self._key = SignerKey.parse(settings.node_key)
        self._register = NodeRegister(settings.own_node, documents=documents, anchoring=anchoring, clock=clock)
        self._presence = Presence(
            self._register, documents=documents, anchoring=anchoring, clock=clock, max_skew_s=settings.max_skew_s
        )
        self._ledger = Ledger(documents=documents, store=store, bodies=bodies)
        self._tasks = Tasks("node-management")

    async def start(self) -> None:
        self._tasks.spawn(self._regularly(self._beat, self._settings.heartbeat_s), name="heartbeat")
        self._tasks.spawn(self._regularly(self._close_hours, self._settings.heartbeat_s), name="hours")
        self._tasks.spawn(self._regularly(self._follow, self._settings.read_log_s), name="ledger")

    async def stop(self) -> None:
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness: raises the failure of a task, if there was one."""
        self._tasks.check()

    async def _regularly(self, work: Callable[[], Awaitable[None]], interval_s: float) -> None:
        while True:
            try:
                await work()
                pause_s = interval_s
            except LucidError as error:
                _log.info("trying again later", task=work.__name__, error=error.slug, detail=error.detail)
                pause_s = min(_RETRY_S, interval_s)
            await asyncio.sleep(pause_s)

    async def _beat(self) -> None:
        """One heartbeat of the own node, which is registered at the first."""
        name = self._settings.own_node
        try:
            await self._register.get(name)
        except NotFound:
            node = Node(name=name, key=self._key.verifier.format(), registered=self._clock.now())
            await self._register.add(node)
        sequence = await self._presence.last_sequence(name) + 1
        heartbeat = Heartbeat(node=name, sequence=sequence, time=self._clock.now(), version=lucid.__version__)
        await self._presence.take(sign(heartbeat_text(heartbeat), self._key))

    async def _close_hours(self) -> None:
        await self._presence.close_hours(after_s=self._settings.close_hour_s)

    async def _follow(self) -> None:
        await self._ledger.catch_up()

    async def register(self, *, node: Node) -> Node:
        return await self._register.add(node)

    async def get(self, *, name: str) -> NodeStatus:
        return await self._status(await self._register.get(name))

    async def _status(self, node: Node) -> NodeStatus:
        return NodeStatus(
            node=node, heard=await self._presence.heard(node.name), own=node.name == self._settings.own_node
        )

    async def set_state(self, *, name: str, state: NodeState) -> Node:
        return await self._register.set_state(name, state)

    async def remove(self, *, name: str) -> None:
        await self._register.remove(name)

    async def heartbeat(self, *, note: str) -> None:
        await self._presence.take(note)

    async def heartbeat_of(self, name: str, note: str) -> None:
        """Take a heartbeat that has to be of this node."""
        await self._presence.take(note, sender=name)

    def now(self) -> str:
        return self._clock.now()

    async def credits_of(self, month: str) -> list[NodeCredits]:
        """The credits of all nodes as far as the log tells."""
        _, end = bounds(month)
        state = await self._ledger.catch_up()
        facts = await self._ledger.facts(state.size, end)
        return await asyncio.to_thread(compute, month, facts, own_node=self._settings.own_node)

    async def credits(self, *, month: str) -> bytes:
        return json.dumps([found.model_dump(mode="json") for found in await self.credits_of(month)]).encode()

    async def statement(self, *, name: str, month: str) -> bytes:
        _, end = bounds(month)
        over = settled(end) <= self._clock.now()
        key = f"{name}:{month}"
        if over:
            try:
                return str((await self._documents.get(STATEMENTS, key)).body["statement"]).encode()
            except NotFound:
                pass  # not made yet
        state = await self._ledger.catch_up()
        facts = await self._ledger.facts(state.size, end)
        computed = await asyncio.to_thread(compute, month, facts, own_node=self._settings.own_node)
        mine = [found for found in computed if found.node == name]
        if not mine:
            raise NotFound(f"the log knows no node {name} in {month}")
        made = await asyncio.to_thread(self._statement, month, state.checkpoint, facts, mine[0])
        if over:
            await self._anchor(key, name, month, made, mine[0].credits)
        return made

    def _statement(self, month: str, checkpoint: str, facts: list[Fact], mine: NodeCredits) -> bytes:
        """Of all that the log tells: long."""
        own_node = self._settings.own_node
        made = Statement(
            node=mine.node, own_node=own_node, month=month, checkpoint=checkpoint, facts=tuple(facts), credits=mine
        )
        return made.to_bytes()

    async def _anchor(self, key: str, name: str, month: str, made: bytes, credits: int) -> None:
        """Commit to the statement in the log and keep it."""
        subject = {"node": name, "month": month, "statement": digest_of(made), "credits": str(credits)}
        await self._anchoring.act(type=NODE_STATEMENT, subject=subject)
        try:
            await self._documents.insert(STATEMENTS, key, {"statement": made.decode()})
        except Conflict:
            _log.info("statement was made twice", node=name, month=month)

    async def list(self) -> list[NodeStatus]:  # last: below it, `list` is this method
        return [await self._status(node) for node in await self._register.all()]
