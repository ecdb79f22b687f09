"""In which minutes each node was heard, and what of that goes into the log."""

import structlog

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from lucid.crypto.note import NoteError, VerifierKey, open_note, split_note
from lucid.model.node import HOUR_MINUTES, NODE_AVAILABILITY, Heartbeat
from lucid.nodes.month import hour_end, hour_of, minute_of
from lucid.ports.log import Anchoring
from lucid.ports.stores import Documents, Json, Stored
from lucid.services.node_management.register import NodeRegister

HEARD, HOURS = "node_heard", "node_hours"
MAX_NOTE_BYTES = 4096
_SILENT = "0" * HOUR_MINUTES

_log = structlog.get_logger()


class Presence:
    """Takes heartbeats. Per node the newest sequence number is kept, per node and hour a row of sixty 0 or 1."""

    def __init__(
        self, register: NodeRegister, *, documents: Documents, anchoring: Anchoring, clock: Clock, max_skew_s: float
    ) -> None:
        self._register = register
        self._documents = documents
        self._anchoring = anchoring
        self._clock = clock
        self._max_skew_s = max_skew_s

    async def take(self, note: str, *, sender: str | None = None) -> Heartbeat:
        """As the port says; Unauthenticated also when it is not of `sender`."""
        heartbeat = await self._open(note)
        if sender not in (None, heartbeat.node):
            raise Unauthenticated("the heartbeat is another node's")
        now = self._clock.now()
        if abs((parse_time(heartbeat.time) - parse_time(now)).total_seconds()) > self._max_skew_s:
            raise InvalidInput(f"heartbeat: its time differs from ours by over {self._max_skew_s:g} s", field="time")
        while True:
            try:
                await self._remember(heartbeat, note, now)
            except Conflict:
                continue  # another heartbeat of the node came in between
            return heartbeat

    async def _open(self, note: str) -> Heartbeat:
        """The heartbeat, signed by the node that it names."""
        if len(note) > MAX_NOTE_BYTES:
            raise InvalidInput(f"heartbeat: over {MAX_NOTE_BYTES} bytes", field="note")
        try:
            text, _ = split_note(note)
            heartbeat = Heartbeat.from_bytes(text.removesuffix("\n").encode())
            node = await self._register.get(heartbeat.node)
            open_note(note, VerifierKey.parse(node.key))
        except (NoteError, NotFound):
            raise Unauthenticated("the heartbeat is not signed by a registered node") from None
        return heartbeat

    async def _remember(self, heartbeat: Heartbeat, note: str, now: str) -> None:
        last = await self._found(HEARD, heartbeat.node)
        if last is not None and heartbeat.sequence <= last.body["sequence"]:
            raise InvalidInput("heartbeat: its sequence number was used before", field="sequence")
        hour, minute = hour_of(now), minute_of(now)
        key = f"{heartbeat.node}:{hour}"
        row = await self._found(HOURS, key)
        heard = row.body["heard"] if row else _SILENT
        body: Json = {
            "node": heartbeat.node,
            "hour": hour,
            "heard": heard[:minute] + "1" + heard[minute + 1 :],
            "note": note,
            "sent": False,
        }
        await self._write(HEARD, heartbeat.node, {"sequence": heartbeat.sequence, "time": now}, last)
        if row is None or row.body["heard"] != body["heard"]:
            await self._write(HOURS, key, body, row)

    async def last_sequence(self, name: str) -> int:
        """The newest sequence number that the node has used."""
        found = await self._found(HEARD, name)
        return int(found.body["sequence"]) if found else 0

    async def heard(self, name: str) -> str | None:
        """When the node was heard last."""
        found = await self._found(HEARD, name)
        return str(found.body["time"]) if found else None

    async def close_hours(self, *, after_s: float) -> int:
        """Put the hours that ended over `after_s` seconds ago into the log; how many. An hour is sent again when a
        crash comes between log and document; the log's first counts."""
        now, sent = parse_time(self._clock.now()), 0
        for found in await self._documents.find(HOURS, {"sent": False}, limit=500):
            if (now - parse_time(hour_end(found.body["hour"]))).total_seconds() < after_s:
                continue
            subject = {name: str(found.body[name]) for name in ("node", "hour", "heard", "note")}
            await self._anchoring.act(type=NODE_AVAILABILITY, subject=subject)
            await self._documents.delete(HOURS, found.id)
            _log.info("hour closed", node=subject["node"], hour=subject["hour"], heard=subject["heard"].count("1"))
            sent += 1
        return sent

    async def _found(self, collection: str, id: str) -> Stored | None:
        try:
            return await self._documents.get(collection, id)
        except NotFound:
            return None

    async def _write(self, collection: str, id: str, body: Json, known: Stored | None) -> None:
        """Raises Conflict when somebody else wrote in between."""
        if known is None:
            await self._documents.insert(collection, id, body)
        else:
            await self._documents.replace(collection, id, body, version=known.version)
