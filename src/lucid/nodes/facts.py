"""What the log says about nodes: the entries that count, each with what its body adds."""

import json
from typing import Any

from pydantic import Field

from lucid.base.clock import shift_time
from lucid.base.errors import Corrupted
from lucid.base.value import Value
from lucid.model.canonical import digest_of
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry
from lucid.model.manifest import Manifest
from lucid.model.node import NODE_AVAILABILITY, NODE_REGISTERED, NODE_REMOVED, NODE_STATE

NODE_ENTRIES = frozenset({NODE_REGISTERED, NODE_STATE, NODE_REMOVED, NODE_AVAILABILITY})
GRACE_S = 24 * 3600.0
"""An hour's heartbeats may come into the log this long after its month."""

COUNTED = NODE_ENTRIES | {SESSION_OPENED, SESSION_CLOSED}


def counts(type: str, time: str, end: str) -> bool:
    """Whether an entry of that type and time counts for a month that ends at `end`, or for what came before."""
    return type in COUNTED and time < (settled(end) if type == NODE_AVAILABILITY else end)


def settled(end: str) -> str:
    """From when on nothing more can count for a month that ends at `end`."""
    return shift_time(end, GRACE_S)


class Work(Value):
    """What a closing's manifest says of the work, without the names in it."""

    duration_us: int = Field(ge=0)
    recorded_bytes: int = Field(ge=0)
    end: str = Field(max_length=40)


class Fact(Value):
    """One entry of the log that counts. `body` is that of an entry about a node, canonical JSON, whose digest stands in
    the entry; `work` belongs to a closing (None: its recording was deleted before it was read)."""

    index: int = Field(ge=0)
    entry: str = Field(max_length=65_535)
    body: str = Field(default="", max_length=65_535)
    work: Work | None = None

    def parsed(self) -> LogEntry:
        return LogEntry.from_bytes(self.entry.encode())

    def subject(self) -> dict[str, Any]:
        """What an entry about a node says. Raises Corrupted when the body is not the one that the entry commits to."""
        entry = self.parsed()
        if digest_of(self.body.encode()) != entry.body:
            raise Corrupted(f"entry {self.index}: its body is another than the one in the log")
        found = json.loads(self.body)
        if not isinstance(found, dict) or found.get("type") != entry.type:
            raise Corrupted(f"entry {self.index}: its body is of another type")
        return found


def work_of(manifest: bytes) -> Work:
    """The work that a manifest stands for. Raises InvalidInput for what is none."""
    found = Manifest.from_bytes(manifest)
    return Work(duration_us=found.duration_us, recorded_bytes=found.bytes.recorded, end=found.end.reason.value)
