"""/v1/agent and /v1/status: registering instances and their checks, and keeping them alive."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

import lucid
from lucid.services.service_mesh.api.bodies import body, duration, mapping, member, text, texts
from lucid.services.service_mesh.api.door import Door, Handler, answer, flag
from lucid.services.service_mesh.api.shapes import Shapes
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.instances import CheckState, Instances, InstanceState, Probe, Status
from lucid.services.service_mesh.probes import checked_target

_STATUSES: tuple[Status, ...] = ("passing", "warning", "critical")
_MIN_FORGET_S = 60.0
_PROBE_LIMIT_S = 10.0
_METHODS = ("GET", "HEAD", "POST", "PUT")


class AgentApi:
    """The agent's own endpoints."""

    def __init__(self, door: Door, instances: Instances, shapes: Shapes) -> None:
        self._settings = door.settings
        self._instances = instances
        self._shapes = shapes
        door.add("GET", "/status/leader", self._leader, public=True)
        door.add("GET", "/status/peers", self._peers)
        door.add("GET", "/agent/self", self._self)
        door.add("GET", "/agent/members", self._members)
        door.add("GET", "/agent/services", self._services)
        door.add("GET", "/agent/service/{id:path}", self._service)
        door.add("GET", "/agent/checks", self._checks)
        door.add("PUT", "/agent/service/register", self._register)
        door.add("PUT", "/agent/service/deregister/{id:path}", self._deregister)
        door.add("PUT", "/agent/service/maintenance/{id:path}", self._maintenance)
        door.add("PUT", "/agent/check/register", self._register_check)
        door.add("PUT", "/agent/check/deregister/{id:path}", self._deregister_check)
        for word, status in zip(("pass", "warn", "fail"), _STATUSES, strict=True):
            door.add("PUT", f"/agent/check/{word}/{{id:path}}", self._renewal(status))
        door.add("PUT", "/agent/check/update/{id:path}", self._update)

    async def _leader(self, request: Request) -> Response:
        return answer(f"{self._settings.node_address}:8300")

    async def _peers(self, request: Request) -> Response:
        return answer([f"{self._settings.node_address}:8300"])

    async def _self(self, request: Request) -> Response:
        config = {
            "Datacenter": self._settings.datacenter,
            "NodeName": self._settings.node_name,
            "Server": True,
            "Version": f"lucid-{lucid.__version__}",
        }
        return answer({"Config": config, "Member": self._member(), "Stats": {}, "Meta": {}})

    def _member(self) -> dict[str, Any]:
        return {"Name": self._settings.node_name, "Addr": self._settings.node_address, "Port": 8301, "Status": 1}

    async def _members(self, request: Request) -> Response:
        return answer([self._member()])

    async def _services(self, request: Request) -> Response:
        known = self._instances.services.values()
        return answer({instance.id: self._shapes.agent_service(instance) for instance in known})

    async def _service(self, request: Request) -> Response:
        instance = self._instances.services.get(request.path_params["id"])
        if instance is None:
            raise Refusal(404, f'unknown service ID: "{request.path_params["id"]}"')
        return answer(self._shapes.agent_service(instance))

    async def _checks(self, request: Request) -> Response:
        return answer({check.id: self._shapes.check(check) for check in self._instances.checks.values()})

    async def _register(self, request: Request) -> Response:
        found = await body(request)
        name = text(found, "Name", limit=128)
        if not name:
            raise bad("Missing service name")
        instance_id = text(found, "ID", default=name, limit=128) or name
        port = member(found, "Port")
        if port is not None and (type(port) is not int or not 0 <= port < 65_536):
            raise bad("Port: expected a number from 0 to 65535")
        instance = InstanceState(
            id=instance_id,
            service=name,
            address=text(found, "Address", limit=253),
            port=port or 0,
            tags=texts(found, "Tags"),
            meta={str(key): str(value) for key, value in mapping(found, "Meta").items()},
        )
        single, several = member(found, "Check"), member(found, "Checks") or []
        if not isinstance(several, list) or not all(isinstance(item, dict) for item in [*several, single or {}]):
            raise bad("Checks: expected objects")
        wanted = ([single] if single else []) + several
        checks = [_service_check(item, instance, place, len(wanted)) for place, item in enumerate(wanted, 1)]
        replace = flag(request, "replace-existing-checks")
        self._instances.register(instance, checks, replace_checks=replace)
        return Response()

    async def _deregister(self, request: Request) -> Response:
        if not self._instances.deregister(request.path_params["id"]):
            raise Refusal(404, f'Unknown service ID "{request.path_params["id"]}"')
        return Response()

    async def _maintenance(self, request: Request) -> Response:
        if request.query_params.get("enable") not in ("true", "false"):
            raise bad("Missing value for enable: expected true or false")
        enable = request.query_params["enable"] == "true"
        reason = request.query_params.get("reason", "")[:1024]
        self._instances.set_maintenance(request.path_params["id"], reason if enable else None)
        return Response()

    async def _register_check(self, request: Request) -> Response:
        found = await body(request)
        name = text(found, "Name", limit=128)
        if not name:
            raise bad("Missing check name")
        check = _check(found, id=text(found, "ID", "CheckID", limit=256) or name, name=name)
        check.service = text(found, "ServiceID", limit=128)
        self._instances.add_check(check)
        return Response()

    async def _deregister_check(self, request: Request) -> Response:
        if not self._instances.remove_check(request.path_params["id"]):
            raise Refusal(404, f'Unknown check ID "{request.path_params["id"]}"')
        return Response()

    def _renewal(self, status: Status) -> Handler:
        async def renew(request: Request) -> Response:
            self._renew(request.path_params["id"], status, request.query_params.get("note", ""))
            return Response()

        return renew

    async def _update(self, request: Request) -> Response:
        found = await body(request)
        status = text(found, "Status").lower()
        if status not in _STATUSES:
            raise bad(f"Invalid check status: '{status[:40]}'")
        self._renew(request.path_params["id"], status, text(found, "Output", limit=65_536))
        return Response()

    def _renew(self, id: str, status: Status, note: str) -> None:
        check = self._instances.checks.get(id)
        if check is not None and not check.ttl_s:
            raise bad(f'CheckID "{id}" does not have associated TTL')
        self._instances.update(id, status, note)


def _service_check(found: dict[str, Any], instance: InstanceState, place: int, of: int) -> CheckState:
    usual = f"service:{instance.id}" + (f":{place}" if of > 1 else "")
    name = text(found, "Name", limit=128) or f"Service '{instance.service}' check"
    return _check(found, id=text(found, "CheckID", "ID", limit=256) or usual, name=name)


def _check(found: dict[str, Any], *, id: str, name: str) -> CheckState:
    """A check of a registration. Raises Refusal (400)."""
    ttl_s, probe = duration(found, "TTL"), _probe(found)
    if (ttl_s > 0) == (probe is not None):
        raise bad("Check: expected one of TTL, HTTP with Interval, TCP with Interval")
    status = text(found, "Status").lower() or "critical"
    if status not in _STATUSES:
        raise bad(f"Invalid check status: '{status[:40]}'")
    forget_after_s = duration(found, "DeregisterCriticalServiceAfter")
    return CheckState(
        id=id,
        name=name,
        status=status,
        notes=text(found, "Notes"),
        ttl_s=ttl_s,
        probe=probe,
        forget_after_s=max(_MIN_FORGET_S, forget_after_s) if forget_after_s else 0.0,
    )


def _probe(found: dict[str, Any]) -> Probe | None:
    http, tcp = text(found, "HTTP", limit=2048), text(found, "TCP", limit=300)
    if not http and not tcp:
        return None
    if http and tcp:
        raise bad("Check: expected HTTP or TCP, not both")
    interval_s = duration(found, "Interval")
    if interval_s <= 0:
        raise bad("Interval: expected a duration over 0")
    method = text(found, "Method", default="GET").upper() or "GET"
    if method not in _METHODS:
        raise bad(f"Method: expected one of {', '.join(_METHODS)}")
    headers = mapping(found, "Header")
    if not all(isinstance(values, list) and all(isinstance(v, str) for v in values) for values in headers.values()):
        raise bad("Header: expected lists of texts")
    skip = member(found, "TLSSkipVerify")
    return Probe(
        kind="http" if http else "tcp",
        target=checked_target("http" if http else "tcp", http or tcp),
        interval_s=max(1.0, interval_s),
        timeout_s=duration(found, "Timeout", default=_PROBE_LIMIT_S) or _PROBE_LIMIT_S,
        method=method,
        headers={name: tuple(values) for name, values in headers.items()},
        verify_tls=skip is not True,
    )
