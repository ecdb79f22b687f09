"""The nodes in documents; a change is in the log before it takes effect."""

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from lucid.crypto.note import VerifierKey
from lucid.model.node import NODE_REGISTERED, NODE_REMOVED, NODE_STATE, Node, NodeState
from lucid.ports.log import Anchoring
from lucid.ports.stores import Documents

NODES = "nodes"
_PAGE = 500

_log = structlog.get_logger()


class NodeRegister:
    """Registered nodes by name."""

    def __init__(self, own_node: str, *, documents: Documents, anchoring: Anchoring, clock: Clock) -> None:
        self._own_node = own_node
        self._documents = documents
        self._anchoring = anchoring
        self._clock = clock

    async def add(self, node: Node) -> Node:
        """As the port says. What the log has and the documents lost in a crash is added again by repeating."""
        _check_key(node.key)
        for other in await self.all():
            if other.name == node.name:
                raise Conflict(f"node {node.name} exists", field="name")
            if other.key == node.key:
                raise Conflict(f"node {other.name} has this key", field="key")
            if taken := set(other.recorders) & set(node.recorders):
                raise Conflict(f"recorder {min(taken)} is node {other.name}'s", field="recorders")
        registered = node.model_copy(update={"registered": self._clock.now()})
        subject = {"node": node.name, "key": node.key, "pool": node.pool, "recorders": ",".join(node.recorders)}
        await self._anchoring.act(type=NODE_REGISTERED, subject=subject)
        await self._documents.insert(NODES, node.name, registered.model_dump(mode="json"))
        _log.info(NODE_REGISTERED, node=node.name)
        return registered

    async def get(self, name: str) -> Node:
        try:
            return Node.model_validate((await self._documents.get(NODES, name)).body)
        except NotFound:
            raise NotFound(f"no node {name}") from None

    async def all(self) -> list[Node]:
        found: list[Node] = []
        after = None
        while page := await self._documents.find(NODES, after=after, limit=_PAGE):
            found += [Node.model_validate(stored.body) for stored in page]
            after = page[-1].id
        return found

    async def set_state(self, name: str, state: NodeState) -> Node:
        node = await self.get(name)
        if node.state is state:
            return node
        await self._anchoring.act(type=NODE_STATE, subject={"node": name, "state": state.value})
        stored = await self._documents.get(NODES, name)
        changed = node.model_copy(update={"state": state})
        await self._documents.replace(NODES, name, changed.model_dump(mode="json"), version=stored.version)
        _log.info(NODE_STATE, node=name, state=state.value)
        return changed

    async def remove(self, name: str) -> None:
        await self.get(name)
        if name == self._own_node:
            raise Forbidden("the installation's own node stays; take it into maintenance instead")
        await self._anchoring.act(type=NODE_REMOVED, subject={"node": name})
        await self._documents.delete(NODES, name)
        _log.info(NODE_REMOVED, node=name)


def _check_key(text: str) -> None:
    """Raises InvalidInput that names the field."""
    try:
        VerifierKey.parse(text)
    except InvalidInput as error:
        raise InvalidInput(f"key: {error.detail}", field="key") from None
