"""node-management as the runtime sees it."""

from lucid.access.acts import Acts
from lucid.ports.access import Audit
from lucid.ports.log import Anchoring, DataChain, LogStore
from lucid.ports.nodes import Nodes
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.node_management.routes import routes
from lucid.services.node_management.service import NodeManager
from lucid.services.node_management.settings import NodeManagementSettings


def create(settings: NodeManagementSettings, ports: Ports) -> App:
    service = NodeManager(
        settings,
        documents=ports.get(Documents),
        anchoring=ports.get(Anchoring),
        store=ports.get(LogStore),
        bodies=ports.get(DataChain),
        clock=ports.clock,
    )
    return App(
        provides={Nodes: service},
        api=routes(service, Acts(audit=ports.get(Audit), clock=ports.clock)),
        start=service.start,
        stop=service.stop,
        checks={"tasks": service.check},
    )
