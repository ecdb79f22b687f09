"""rdp-server-manager as the runtime sees it."""

from lucid.ports.access import Audit, Hosts
from lucid.ports.desktops import Desktops, XrdpHost
from lucid.ports.log import Anchoring
from lucid.ports.recording import Pipeline
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.rdp_server_manager.routes import api_routes
from lucid.services.rdp_server_manager.service import ServerManager
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings


def create(settings: RdpServerManagerSettings, ports: Ports) -> App:
    manager = ServerManager(
        settings,
        documents=ports.get(Documents),
        anchoring=ports.get(Anchoring),
        pipeline=ports.get(Pipeline),
        xrdp=ports.get(XrdpHost),
        audit=ports.get(Audit),
        clock=ports.clock,
    )
    return App(
        provides={Hosts: manager.hosts, Desktops: manager.desktops},
        api=api_routes(manager),
        start=manager.start,
        stop=manager.stop,
        checks={"recovery": manager.check},
    )
