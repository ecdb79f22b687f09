"""service-mesh as the runtime sees it."""

from lucid.ports.registry import Registry
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.service_mesh.service import ServiceMesh
from lucid.services.service_mesh.settings import ServiceMeshSettings


def create(settings: ServiceMeshSettings, ports: Ports) -> App:
    service = ServiceMesh(settings, documents=ports.get(Documents), clock=ports.clock)
    return App(
        provides={Registry: service},
        routes=service.routes,
        start=service.start,
        stop=service.stop,
        checks={"tasks": service.check},
    )
