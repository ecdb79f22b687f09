"""rdp-server-manager as the runtime sees it."""

from lucid.ports.access import Hosts
from lucid.ports.log import Anchoring
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.rdp_server_manager.service import HostManager
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings


def create(settings: RdpServerManagerSettings, ports: Ports) -> App:
    manager = HostManager(settings, documents=ports.get(Documents), anchoring=ports.get(Anchoring))
    return App(provides={Hosts: manager}, start=manager.start, stop=manager.stop, checks={"recovery": manager.check})
