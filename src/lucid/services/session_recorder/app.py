"""session-recorder as the runtime sees it."""

from lucid.ports.recording import Recorder
from lucid.ports.service import App, Ports
from lucid.ports.stores import Folder
from lucid.services.session_recorder.service import SessionRecorder
from lucid.services.session_recorder.settings import SessionRecorderSettings


def create(settings: SessionRecorderSettings, ports: Ports) -> App:
    service = SessionRecorder(settings, folder=ports.get(Folder), clock=ports.clock)
    return App(provides={Recorder: service}, start=service.start, stop=service.stop, checks={"journal": service.check})
