"""/v1/session: those who hold locks."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lucid.services.service_mesh.api.bodies import body, duration, member, text, texts
from lucid.services.service_mesh.api.door import Door, answer
from lucid.services.service_mesh.api.shapes import Shapes
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.instances import Instances
from lucid.services.service_mesh.sessions import SESSIONS_TOPIC, Behavior, Session, Sessions

NODE_CHECK = "serfHealth"
"""The check by which Consul's agents watch each other; of a mesh with one agent it always passes."""

_SECONDS_BELOW = 1000


class SessionsApi:
    """Endpoints of sessions."""

    def __init__(self, door: Door, sessions: Sessions, instances: Instances, shapes: Shapes) -> None:
        self._door = door
        self._sessions = sessions
        self._instances = instances
        self._shapes = shapes
        door.add("PUT", "/session/create", self._create)
        door.add("PUT", "/session/destroy/{id}", self._destroy)
        door.add("PUT", "/session/renew/{id}", self._renew)
        door.add("GET", "/session/info/{id}", self._info)
        door.add("GET", "/session/list", self._list)
        door.add("GET", "/session/node/{name}", self._of_node)

    async def _create(self, request: Request) -> Response:
        found = await body(request)
        behavior = text(found, "Behavior") or "release"
        if behavior not in ("release", "delete"):
            raise bad(f"Invalid Behavior setting '{behavior[:40]}'")
        node = text(found, "Node")
        if node not in ("", self._door.settings.node_name):
            raise bad(f"Missing node registration: {node[:64]}")
        kind: Behavior = "delete" if behavior == "delete" else "release"
        checks = None if member(found, "Checks", "NodeChecks") is None else texts(found, "NodeChecks", "Checks")
        wanted = Session(
            id="",
            name=text(found, "Name", limit=256),
            ttl_s=duration(found, "TTL"),
            lock_delay_s=_lock_delay(found),
            behavior=kind,
            checks=(NODE_CHECK,) if checks is None else checks,
            service_checks=_service_checks(found),
        )
        for check in {*wanted.checks, *wanted.service_checks} - {NODE_CHECK}:
            known = self._instances.checks.get(check)
            if known is None:
                raise bad(f"Missing check '{check[:64]}' registration")
            if known.status == "critical":
                raise bad(f"Check '{check[:64]}' is in critical state")
        return answer({"ID": (await self._sessions.create(wanted)).id})

    async def _destroy(self, request: Request) -> Response:
        await self._sessions.destroy(request.path_params["id"])
        return answer(True)

    async def _renew(self, request: Request) -> Response:
        session = self._sessions.renew(request.path_params["id"])
        if session is None:
            raise Refusal(404, f"Session id '{request.path_params['id'][:64]}' not found")
        return answer([self._shapes.session(session)])

    async def _info(self, request: Request) -> Response:
        index = await self._door.block(request, SESSIONS_TOPIC)
        session = self._sessions.get(request.path_params["id"])
        return answer([self._shapes.session(session)] if session else [], index=index)

    async def _list(self, request: Request) -> Response:
        index = await self._door.block(request, SESSIONS_TOPIC)
        return answer([self._shapes.session(session) for session in self._sessions.list()], index=index)

    async def _of_node(self, request: Request) -> Response:
        if request.path_params["name"] != self._door.settings.node_name:
            return answer([], index=await self._door.block(request, SESSIONS_TOPIC))
        return await self._list(request)


def _lock_delay(found: dict[str, Any]) -> float:
    """Seconds. Consul takes a small number for seconds and a large one for nanoseconds."""
    value = member(found, "LockDelay")
    if type(value) is int and 0 <= value < _SECONDS_BELOW:
        return float(value)
    return duration(found, "LockDelay", default=15.0)


def _service_checks(found: dict[str, Any]) -> tuple[str, ...]:
    checks = member(found, "ServiceChecks") or []
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        raise bad("ServiceChecks: expected objects")
    return tuple(text(check, "ID") for check in checks)
