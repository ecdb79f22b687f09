"""rdp-controller as the runtime sees it."""

from lucid.ports.access import Gateway, Hosts, Tickets
from lucid.ports.recording import Pipeline, Recorder
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Folder
from lucid.services.rdp_controller.service import RdpGateway
from lucid.services.rdp_controller.settings import RdpControllerSettings


def create(settings: RdpControllerSettings, ports: Ports) -> App:
    service = RdpGateway(
        settings,
        tickets=ports.get(Tickets),
        hosts=ports.get(Hosts),
        pipeline=ports.get(Pipeline),
        recorder=ports.get(Recorder),
        bus=ports.get(Bus),
        folder=ports.get(Folder),
    )
    return App(provides={Gateway: service}, start=service.start, stop=service.stop, checks={"listener": service.check})
