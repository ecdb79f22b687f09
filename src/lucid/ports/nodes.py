"""Nodes and what they have earned. Offered by node-management."""

from typing import Protocol

from lucid.base.clock import Time
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.node import Node, NodeState


class NodeStatus(Value):
    """A node, and when it was heard last (None: never)."""

    node: Node
    heard: Time | None = None
    own: bool = False


class Nodes(Protocol):
    """The nodes of the installation."""

    async def register(self, *, node: Node) -> Node:
        """Raises Conflict when the name, the key or a recorder is another node's."""
        ...

    async def list(self) -> list[NodeStatus]: ...

    async def get(self, *, name: Name) -> NodeStatus:
        """Raises NotFound."""
        ...

    async def set_state(self, *, name: Name, state: NodeState) -> Node:
        """Raises NotFound."""
        ...

    async def remove(self, *, name: Name) -> None:
        """Its credits stay. Raises NotFound, and Forbidden for the installation's own node."""
        ...

    async def heartbeat(self, *, note: str) -> None:
        """Take a signed heartbeat (lucid.model.node). Raises Unauthenticated when it is not signed by a registered
        node, InvalidInput when it is too old or was taken before."""
        ...

    async def credits(self, *, month: str) -> bytes:
        """The credits of all nodes, JSON: a list of lucid.nodes.credits.NodeCredits. Raises InvalidInput."""
        ...

    async def statement(self, *, name: Name, month: str) -> bytes:
        """The node's statement (lucid.nodes.statement), JSON; of a month that is over, also anchored in the log.
        Raises NotFound, InvalidInput, Unavailable while the log is still being read."""
        ...
