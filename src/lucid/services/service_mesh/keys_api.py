"""/v1/kv and /v1/session: keys, check-and-set, locks."""

from fastapi import Request, Response

from lucid.services.service_mesh.asking import Door, answer, body, content, duration, flag, number, text, texts
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.indexes import Topic
from lucid.services.service_mesh.keys import KEYS_TOPIC, SESSIONS_TOPIC, Behavior, KeyStore, Session, checked_key
from lucid.services.service_mesh.shapes import Shapes

_MAX_FLAGS = 2**64 - 1


class KeysApi:
    """Endpoints of the key-value store."""

    def __init__(self, door: Door, store: KeyStore, shapes: Shapes) -> None:
        self._door = door
        self._store = store
        self._shapes = shapes
        door.add("GET", "/kv/{key:path}", self._get)
        door.add("PUT", "/kv/{key:path}", self._put)
        door.add("DELETE", "/kv/{key:path}", self._delete)
        door.add("PUT", "/session/create", self._create_session)
        door.add("PUT", "/session/destroy/{id}", self._destroy_session)
        door.add("PUT", "/session/renew/{id}", self._renew_session)
        door.add("GET", "/session/info/{id}", self._session)
        door.add("GET", "/session/list", self._sessions)
        door.add("GET", "/session/node/{name}", self._node_sessions)

    async def _get(self, request: Request) -> Response:
        key: str = request.path_params["key"]
        names, recurse = _has(request, "keys"), _has(request, "recurse")
        # What is below a prefix, and what is gone, has only the index of all keys.
        topic: Topic = KEYS_TOPIC if names or recurse else ("key", checked_key(key))
        index = await self._door.block(request, topic)
        if names:
            found = self._store.names(key, request.query_params.get("separator", "")[:64])
            return answer(found, index=index, status=200 if found else 404)
        entries = self._store.below(key) if recurse else [e for e in (self._store.get(key),) if e]
        if not entries:
            return Response("", 404, answer(None, index=index).headers)
        if _has(request, "raw"):
            headers = {"X-Consul-Index": str(index), "X-Content-Type-Options": "nosniff"}
            return Response(entries[0].value, headers=headers, media_type="application/octet-stream")
        return answer([self._shapes.entry(entry) for entry in entries], index=index)

    async def _put(self, request: Request) -> Response:
        key = checked_key(request.path_params["key"])
        value = await content(request, self._door.settings.max_value_bytes)
        flags = number_of(request, "flags", _MAX_FLAGS)
        asked = request.query_params
        if sum(name in asked for name in ("cas", "acquire", "release")) > 1:
            raise bad("Conflicting flags: cas, acquire and release exclude each other")
        if "acquire" in asked:
            return answer(await self._store.acquire(key, value, asked["acquire"], flags=flags))
        if "release" in asked:
            return answer(await self._store.release(key, value, asked["release"], flags=flags))
        cas = number(request, "cas") if "cas" in asked else None
        return answer(await self._store.put(key, value, flags=flags, cas=cas))

    async def _delete(self, request: Request) -> Response:
        recurse, cas = _has(request, "recurse"), "cas" in request.query_params
        if recurse and cas:
            raise bad("Conflicting flags: recurse and cas exclude each other")
        key = request.path_params["key"] if recurse else checked_key(request.path_params["key"])
        return answer(await self._store.delete(key, recurse=recurse, cas=number(request, "cas") if cas else None))

    async def _create_session(self, request: Request) -> Response:
        found = await body(request)
        behavior = text(found, "Behavior", default="release") or "release"
        if behavior not in ("release", "delete"):
            raise bad(f"Invalid Behavior setting '{behavior[:40]}'")
        node = text(found, "Node")
        if node and node != self._door.settings.node_name:
            raise Refusal(500, f"Missing node registration: {node[:64]}")
        kind: Behavior = "delete" if behavior == "delete" else "release"
        wanted = Session(
            id="",
            name=text(found, "Name", limit=256),
            ttl_s=duration(found, "TTL"),
            lock_delay_s=duration(found, "LockDelay", default=15.0),
            behavior=kind,
            checks=texts(found, "NodeChecks", "Checks"),
        )
        return answer({"ID": (await self._store.create_session(wanted)).id})

    async def _destroy_session(self, request: Request) -> Response:
        await self._store.destroy_session(request.path_params["id"])
        return answer(True)

    async def _renew_session(self, request: Request) -> Response:
        session = self._store.renew_session(request.path_params["id"])
        if session is None:
            raise Refusal(404, f"Session id '{request.path_params['id'][:64]}' not found")
        return answer([self._shapes.session(session)])

    async def _session(self, request: Request) -> Response:
        index = await self._door.block(request, SESSIONS_TOPIC)
        session = self._store.sessions.get(request.path_params["id"])
        return answer([self._shapes.session(session)] if session else [], index=index)

    async def _sessions(self, request: Request) -> Response:
        index = await self._door.block(request, SESSIONS_TOPIC)
        return answer([self._shapes.session(session) for session in self._store.sessions.values()], index=index)

    async def _node_sessions(self, request: Request) -> Response:
        if request.path_params["name"] != self._door.settings.node_name:
            return answer([], index=self._door.indexes.of(SESSIONS_TOPIC))
        return await self._sessions(request)


def _has(request: Request, name: str) -> bool:
    return name in request.query_params and flag(request, name)


def number_of(request: Request, name: str, most: int) -> int:
    """A whole number among the parameters, up to `most`. Raises Refusal."""
    given = request.query_params.get(name, "0")
    if not given.isascii() or not given.isdecimal() or len(given) > 20 or int(given) > most:
        raise bad(f"{name}: expected a whole number")
    return int(given)
