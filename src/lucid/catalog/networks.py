"""The networks of a deployment, and its phases.

Subnets and names are those of the deployment's spec, but for `lucid-base-net`, which overlapped `lucid-tron-isolated`.
"""

from lucid.catalog.types import PI_NETWORK, TRON_NETWORK, Network, Phase

PI = Network(PI_NETWORK, "172.20.0.0/16", "172.20.0.1", "foundation, core, application and admin services")
TRON = Network(
    TRON_NETWORK,
    "172.21.0.0/16",
    "172.21.0.1",
    "payment services, apart from all others",
    internal=True,
    host_binding="",
)
GUI = Network("lucid-gui-network", "172.22.0.0/16", "172.22.0.1", "GUI services")
DISTROLESS = Network("lucid-distroless-production", "172.23.0.0/16", "172.23.0.1", "distroless base containers")
DISTROLESS_DEV = Network("lucid-distroless-dev", "172.24.0.0/16", "172.24.0.1", "distroless development containers")
MULTI_STAGE = Network("lucid-multi-stage-network", "172.25.0.0/16", "172.25.0.1", "containers of multi-stage builds")
BASE = Network("lucid-base-net", "172.26.0.0/16", "172.26.0.1", "development of the Python and Java base images")

NETWORKS = (PI, TRON, GUI, DISTROLESS, DISTROLESS_DEV, MULTI_STAGE, BASE)

PHASES = (
    Phase(1, "foundation", "Foundation Services"),
    Phase(2, "core", "Core Services"),
    Phase(3, "application", "Application Services"),
    Phase(4, "support", "Support Services"),
)
MASTER_FILE = "configs/docker/docker-compose.all.yml"
