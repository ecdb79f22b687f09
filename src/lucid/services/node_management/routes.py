"""The public API of nodes."""

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from lucid.access.acts import Acts, Origin
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.node import Node, NodeKey, NodeState
from lucid.model.permission import Permission
from lucid.nodes.credits import NodeCredits
from lucid.nodes.month import MONTH_PATTERN
from lucid.nodes.statement import Statement
from lucid.ports.api import API_PREFIX, SIGNED, Caller, requires
from lucid.ports.nodes import NodeStatus
from lucid.services.node_management.service import NodeManager

PREFIX = f"{API_PREFIX}/nodes"
CREDITS = f"{API_PREFIX}/credits"

NodeName = Annotated[Name, Path(description="the node's name", examples=["pi-berlin"])]
MonthQuery = Annotated[str, Query(pattern=MONTH_PATTERN, description="a month, UTC", examples=["2026-11"])]
MonthPath = Annotated[str, Path(pattern=MONTH_PATTERN, description="a month, UTC", examples=["2026-11"])]


class NewNode(Value):
    """A node to be registered."""

    name: Name = Field(examples=["pi-berlin"])
    key: NodeKey = Field(
        description="verifier key (vkey) of its heartbeats",
        examples=["pi-berlin+a53b1ffb+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"],
    )
    pool: Name = Field(default="default", examples=["europe"])
    recorders: tuple[Name, ...] = Field(
        default=(), max_length=64, description="names under which it records in the log", examples=[["recorder-7f3a"]]
    )


class NodeList(Value):
    """All nodes, by name."""

    items: tuple[NodeStatus, ...]


class NodeChange(Value):
    """What is to change."""

    state: NodeState = Field(examples=["maintenance"])


class SignedHeartbeat(Value):
    """A heartbeat as a signed note (c2sp.org/signed-note), whose text is the canonical JSON of docs/credits.md."""

    note: str = Field(
        min_length=1,
        max_length=4096,
        examples=['{"format":"lucid-heartbeat/1",…}\n\n— pi-berlin pfS0mYl…=\n'],
    )


class CreditList(Value):
    """The credits of all nodes in a month."""

    items: tuple[NodeCredits, ...]


def routes(manager: NodeManager, acts: Acts) -> APIRouter:
    """The log has node.registered and the like already; the audit trail says who it was."""
    router = APIRouter(tags=["nodes"])

    @router.get(PREFIX, operation_id="listNodes", summary="List nodes", **requires(Permission.NODES_READ))
    async def list_nodes() -> NodeList:
        """All registered nodes, and when each was heard last."""
        return NodeList(items=tuple(await manager.list()))

    @router.post(
        PREFIX,
        operation_id="registerNode",
        summary="Register a node",
        status_code=201,
        responses={409: {"description": "The name, the key or a recorder is another node's"}},
        **requires(Permission.NODES_MANAGE),
    )
    async def register(new: NewNode, principal: Caller) -> Node:
        """From now on its heartbeats are taken and its work is counted; the log says so."""
        node = await manager.register(node=Node(**new.model_dump(), registered=manager.now()))
        await acts.done("node.registered", Origin(principal.user), node=node.name)
        return node

    @router.get(
        CREDITS,
        operation_id="listCredits",
        summary="Work credits of a month",
        **requires(Permission.NODES_READ),
    )
    async def list_credits(month: MonthQuery) -> CreditList:
        """Computed from the log by the formula of docs/credits.md, as far as the log tells."""
        return CreditList(items=tuple(await manager.credits_of(month)))

    @router.get(
        f"{PREFIX}/{{name}}",
        operation_id="getNode",
        summary="One node",
        responses={404: {"description": "There is no such node"}},
        **requires(Permission.NODES_READ),
    )
    async def get_node(name: NodeName) -> NodeStatus:
        """A node, and when it was heard last."""
        return await manager.get(name=name)

    @router.patch(
        f"{PREFIX}/{{name}}",
        operation_id="changeNode",
        summary="Take a node into maintenance, or back",
        responses={404: {"description": "There is no such node"}},
        **requires(Permission.NODES_MANAGE),
    )
    async def change(name: NodeName, wanted: NodeChange, principal: Caller) -> Node:
        """Time in maintenance is neither due nor paid."""
        node = await manager.set_state(name=name, state=wanted.state)
        await acts.done("node.state", Origin(principal.user), node=name, state=wanted.state.value)
        return node

    @router.delete(
        f"{PREFIX}/{{name}}",
        operation_id="removeNode",
        summary="Remove a node",
        status_code=204,
        responses={404: {"description": "There is no such node"}},
        **requires(Permission.NODES_MANAGE),
    )
    async def remove(name: NodeName, principal: Caller) -> None:
        """What it has earned stays."""
        await manager.remove(name=name)
        await acts.done("node.removed", Origin(principal.user), node=name)

    @router.post(
        f"{PREFIX}/{{name}}/heartbeats",
        operation_id="sendHeartbeat",
        summary="A node's sign of life",
        status_code=204,
        responses={401: {"description": "It is not signed by the node's key"}},
        **SIGNED,
    )
    async def heartbeat(name: NodeName, signed: SignedHeartbeat) -> None:
        """Signed by the node's key, which is its credential; at most one a minute counts."""
        await manager.heartbeat_of(name, signed.note)

    @router.get(
        f"{PREFIX}/{{name}}/statements/{{month}}",
        operation_id="getStatement",
        summary="A node's statement",
        response_model=Statement,
        responses={404: {"description": "The log knows no such node in that month"}},
        **requires(Permission.NODES_READ),
    )
    async def statement(name: NodeName, month: MonthPath) -> Response:
        """Credits with every entry of the log that they follow from; `lucid node check` recomputes it. That of a month
        that is over never changes, and its digest is in the log."""
        return Response(await manager.statement(name=name, month=month), media_type="application/json")

    return router


def parse_credits(data: bytes) -> list[NodeCredits]:
    """What the port's `credits` returned."""
    return [NodeCredits.model_validate(item) for item in json.loads(data)]
