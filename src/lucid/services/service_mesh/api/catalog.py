"""/v1/catalog and /v1/health: who is there, and who is well."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from lucid.services.service_mesh.api.door import Door, answer, flag
from lucid.services.service_mesh.api.shapes import Shapes
from lucid.services.service_mesh.errors import bad
from lucid.services.service_mesh.instances import NODE_TOPIC, SERVICES, Instances, InstanceState

_STATES = ("any", "passing", "warning", "critical")


class CatalogApi:
    """Reading endpoints; all of them block when asked to."""

    def __init__(self, door: Door, instances: Instances, shapes: Shapes) -> None:
        self._door = door
        self._instances = instances
        self._shapes = shapes
        door.add("GET", "/catalog/datacenters", self._datacenters)
        door.add("GET", "/catalog/nodes", self._nodes)
        door.add("GET", "/catalog/services", self._services)
        door.add("GET", "/catalog/service/{name}", self._service)
        door.add("GET", "/catalog/node/{name}", self._node)
        door.add("GET", "/health/service/{name}", self._health)
        door.add("GET", "/health/checks/{name}", self._checks)
        door.add("GET", "/health/node/{name}", self._node_checks)
        door.add("GET", "/health/state/{state}", self._state)

    def _tagged(self, request: Request) -> Iterable[InstanceState]:
        """Instances of the service with all of the tags that are asked for."""
        tags = set(request.query_params.getlist("tag"))
        return (i for i in self._instances.of_service(request.path_params["name"]) if tags <= set(i.tags))

    async def _datacenters(self, request: Request) -> Response:
        return answer([self._door.settings.datacenter])

    async def _nodes(self, request: Request) -> Response:
        return answer([self._shapes.node()], index=await self._door.block(request, NODE_TOPIC))

    async def _services(self, request: Request) -> Response:
        index = await self._door.block(request, SERVICES)
        found: dict[str, set[str]] = {}
        for instance in self._instances.services.values():
            found.setdefault(instance.service, set()).update(instance.tags)
        return answer({name: sorted(found[name]) for name in sorted(found)}, index=index)

    async def _service(self, request: Request) -> Response:
        index = await self._door.block(request, ("service", request.path_params["name"]), rebuilt=True)
        return answer([self._shapes.catalog_service(i) for i in self._tagged(request)], index=index)

    async def _node(self, request: Request) -> Response:
        index = await self._door.block(request, NODE_TOPIC)
        if request.path_params["name"] != self._door.settings.node_name:
            return answer(None, index=index)
        services = {i.id: self._shapes.agent_service(i) for i in self._instances.services.values()}
        return answer({"Node": self._shapes.node(), "Services": services}, index=index)

    async def _health(self, request: Request) -> Response:
        index = await self._door.block(request, ("service", request.path_params["name"]), rebuilt=True)
        passing = flag(request, "passing")
        found = [
            self._shapes.health(instance)
            for instance in self._tagged(request)
            if not passing or self._instances.status_of(instance) == "passing"
        ]
        return answer(found, index=index)

    async def _checks(self, request: Request) -> Response:
        name = request.path_params["name"]
        index = await self._door.block(request, ("service", name), rebuilt=True)
        found = [c for instance in self._instances.of_service(name) for c in self._instances.checks_of(instance)]
        return answer([self._shapes.check(check) for check in found], index=index)

    async def _node_checks(self, request: Request) -> Response:
        index = await self._door.block(request, NODE_TOPIC)
        if request.path_params["name"] != self._door.settings.node_name:
            return answer([], index=index)
        return answer([self._shapes.check(check) for check in self._instances.checks.values()], index=index)

    async def _state(self, request: Request) -> Response:
        state = request.path_params["state"]
        if state not in _STATES:
            raise bad(f"state: expected one of {', '.join(_STATES)}")
        index = await self._door.block(request, NODE_TOPIC)
        checks = self._instances.checks.values()
        found = [self._shapes.check(check) for check in checks if state in ("any", check.status)]
        return answer(found, index=index)
