"""/v1/kv and /v1/txn: keys, check-and-set, locks, transactions."""

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lucid.services.service_mesh.api.bodies import decoded, member, text
from lucid.services.service_mesh.api.door import Door, answer, content, flag, number
from lucid.services.service_mesh.api.shapes import Shapes
from lucid.services.service_mesh.entries import MAX_FLAGS, Operation, checked_key
from lucid.services.service_mesh.errors import bad
from lucid.services.service_mesh.indexes import Topic
from lucid.services.service_mesh.keys import KEYS_TOPIC, Keys
from lucid.services.service_mesh.sessions import Sessions

MAX_OPERATIONS = 64
_MAX_TRANSACTION_BYTES = 1024 * 1024


class KeysApi:
    """Endpoints of the key-value store."""

    def __init__(self, door: Door, keys: Keys, sessions: Sessions, shapes: Shapes) -> None:
        self._door = door
        self._keys = keys
        self._sessions = sessions
        self._shapes = shapes
        door.add("GET", "/kv/{key:path}", self._get)
        door.add("PUT", "/kv/{key:path}", self._put)
        door.add("DELETE", "/kv/{key:path}", self._delete)
        door.add("PUT", "/txn", self._transact)

    async def _get(self, request: Request) -> Response:
        key: str = request.path_params["key"]
        names, recurse = flag(request, "keys"), flag(request, "recurse")
        # What is below a prefix, and what is gone, has only the index of all keys.
        topic: Topic = KEYS_TOPIC if names or recurse else ("key", checked_key(key))
        index = await self._door.block(request, topic)
        if names:
            found = self._keys.names(key, request.query_params.get("separator", "")[:64])
            return answer(found, index=index) if found else answer(index=index, status=404)
        entry = self._keys.entries.get(key)
        entries = self._keys.entries.below(key) if recurse else [entry] if entry else []
        if not entries:
            return answer(index=index, status=404)
        if flag(request, "raw"):
            return answer(raw=entries[0].value, index=index)
        return answer([self._shapes.entry(found) for found in entries], index=index)

    async def _put(self, request: Request) -> Response:
        key = checked_key(request.path_params["key"])
        value = await content(request, self._door.settings.max_value_bytes)
        asked = request.query_params
        conditions = [name for name in ("cas", "acquire", "release") if name in asked]
        if len(conditions) > 1:
            raise bad(f"Conflicting flags: {'&'.join(conditions)}")
        verb = {"cas": "cas", "acquire": "lock", "release": "unlock"}[conditions[0]] if conditions else "set"
        return await self._one(
            Operation(
                verb=verb,
                key=key,
                value=value,
                flags=number(request, "flags", MAX_FLAGS),
                index=number(request, "cas"),
                session=asked.get("acquire", "") or asked.get("release", ""),
            )
        )

    async def _delete(self, request: Request) -> Response:
        key: str = request.path_params["key"]
        recurse, cas = flag(request, "recurse"), "cas" in request.query_params
        if recurse and cas:
            raise bad("Conflicting flags: recurse&cas")
        if recurse:
            return await self._one(Operation("delete-tree", key))
        verb = "delete-cas" if cas else "delete"
        return await self._one(Operation(verb, checked_key(key), index=number(request, "cas")))

    async def _one(self, operation: Operation) -> Response:
        outcome = await self._keys.run([operation], self._sessions)
        return answer(not outcome.failed)

    async def _transact(self, request: Request) -> Response:
        found = await decoded(request, _MAX_TRANSACTION_BYTES)
        if not isinstance(found, list) or not 0 < len(found) <= MAX_OPERATIONS:
            raise bad(f"expected a list of 1 to {MAX_OPERATIONS} operations")
        operations = [_operation(item) for item in found]
        outcome = await self._keys.run(operations, self._sessions)
        if outcome.failed:
            errors = [
                {"OpIndex": place, "What": f"{operations[place].verb} of {operations[place].key!r}: not as expected"}
                for place in outcome.failed
            ]
            return answer({"Results": None, "Errors": errors}, status=409)
        results = [
            {"KV": self._shapes.entry(entry, value=operation.verb.startswith("get"))}
            for operation, entries in zip(operations, outcome.found, strict=True)
            for entry in entries
        ]
        return answer({"Results": results, "Errors": None})


def _operation(item: Any) -> Operation:
    """One operation of a transaction. Raises Refusal (400); only those on keys are offered."""
    kv = member(item, "KV") if isinstance(item, dict) else None
    if not isinstance(kv, dict):
        raise bad("expected operations on KV")
    verb, key = text(kv, "Verb"), text(kv, "Key")
    try:
        value = base64.b64decode(text(kv, "Value", limit=_MAX_TRANSACTION_BYTES), validate=True)
    except (binascii.Error, ValueError):
        raise bad("Value: expected base64") from None
    return Operation(
        verb=verb,
        key=key if verb in ("get-tree", "delete-tree") else checked_key(key),
        value=value,
        flags=_whole(kv, "Flags"),
        index=_whole(kv, "Index"),
        session=text(kv, "Session"),
    )


def _whole(kv: dict[str, Any], name: str) -> int:
    value = member(kv, name)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_FLAGS:
        raise bad(f"{name}: expected a whole number")
    return value
