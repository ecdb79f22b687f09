"""The registry that this installation uses: a Consul agent, or its own service-mesh, which speaks the same."""

from typing import TYPE_CHECKING

from lucid.catalog.keys import MESH_TOKEN
from lucid.catalog.services import SERVICES
from lucid.runtime.keyring import Keyring
from lucid.runtime.mesh import fixed_address
from lucid.runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from lucid.drivers.consul.registry import ConsulRegistry

SERVICE_MESH = "service-mesh"


def registry_of(settings: RuntimeSettings, keyring: Keyring, *, own_mesh: str = "") -> "ConsulRegistry":
    """The registry, not spoken to yet. `own_mesh` is where service-mesh answers, if it is not where it usually does."""
    from lucid.drivers.consul.registry import ConsulRegistry  # heavy: not every command needs it

    token = settings.consul_token if settings.consul_token.reveal() else keyring.private(MESH_TOKEN)
    return ConsulRegistry(settings.consul_url or own_mesh or _own_mesh(), token)


def _own_mesh() -> str:
    (mesh,) = (service for service in SERVICES if service.name == SERVICE_MESH)
    return fixed_address(mesh) or f"http://127.0.0.1:{mesh.embedded_port}"
