"""rdp-xrdp as the runtime sees it."""

from lucid.ports.desktops import XrdpHost
from lucid.ports.machine import DesktopMachine
from lucid.ports.service import App, Ports
from lucid.ports.stores import Folder
from lucid.services.rdp_xrdp.service import BuiltInHost
from lucid.services.rdp_xrdp.settings import RdpXrdpSettings


def create(settings: RdpXrdpSettings, ports: Ports) -> App:
    host = BuiltInHost(settings, machine=ports.get(DesktopMachine), folder=ports.get(Folder), clock=ports.clock)
    return App(provides={XrdpHost: host}, start=host.start, stop=host.stop, checks={"supervision": host.check})
