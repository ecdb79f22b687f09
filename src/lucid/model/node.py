"""Nodes: the machines that record and store, and what they say of themselves (docs/credits.md)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.canonical import CanonicalValue

NODE_REGISTERED = "node.registered"
NODE_STATE = "node.state"
NODE_REMOVED = "node.removed"
NODE_AVAILABILITY = "node.availability"
NODE_STATEMENT = "node.statement"

HOUR_MINUTES = 60


class NodeState(StrEnum):
    """`maintenance`: its operator took it out of service; that time is neither due nor paid."""

    ACTIVE = "active"
    MAINTENANCE = "maintenance"


NodeKey = Annotated[str, Field(max_length=512, pattern=r"^\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$")]
"""A verifier key (vkey, c2sp.org/signed-note)."""


class Node(Value):
    """A node. `key` is the verifier key (vkey) of its heartbeats, `recorders` the names under which it records in the
    log; a recorder that no node claims belongs to the installation's own node."""

    name: Name
    key: NodeKey
    pool: Name = "default"
    recorders: tuple[Name, ...] = Field(default=(), max_length=64)
    state: NodeState = NodeState.ACTIVE
    registered: Time


class Heartbeat(CanonicalValue):
    """What a node signs once a minute, as the text of a note: this and a line end. `sequence` rises with each."""

    format: Literal["lucid-heartbeat/1"] = "lucid-heartbeat/1"
    node: Name
    sequence: int = Field(ge=1, le=2**53 - 1)
    time: Time
    version: str = Field(default="", max_length=32)


def heartbeat_text(heartbeat: Heartbeat) -> str:
    """The text that a node signs: canonical JSON and a line end."""
    return heartbeat.to_bytes().decode() + "\n"
