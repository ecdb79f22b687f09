"""rdp-monitor as the runtime sees it."""

from lucid.ports.access import Gateway, Hosts
from lucid.ports.desktops import Desktops, Prober, XrdpHost
from lucid.ports.monitor import Monitor
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Documents
from lucid.services.rdp_monitor.history import History
from lucid.services.rdp_monitor.probing import Probing
from lucid.services.rdp_monitor.routes import monitor_routes
from lucid.services.rdp_monitor.service import RdpMonitor
from lucid.services.rdp_monitor.settings import RdpMonitorSettings


def create(settings: RdpMonitorSettings, ports: Ports) -> App:
    history = History(documents=ports.get(Documents), length=settings.probe_history, alarm_after=settings.alarm_after)
    gateway, desktops, xrdp = ports.get(Gateway), ports.get(Desktops), ports.get(XrdpHost)
    probing = Probing(
        settings,
        gateway=gateway,
        hosts=ports.get(Hosts),
        desktops=desktops,
        xrdp=xrdp,
        prober=ports.get(Prober),
        bus=ports.get(Bus),
        history=history,
        clock=ports.clock,
    )
    monitor = RdpMonitor(
        settings,
        gateway=gateway,
        desktops=desktops,
        xrdp=xrdp,
        probing=probing,
        history=history,
        clock=ports.clock,
    )
    return App(
        provides={Monitor: monitor},
        api=monitor_routes(monitor),
        start=monitor.start,
        stop=monitor.stop,
        checks={"tasks": monitor.check},
    )
