"""session-processor as the runtime sees it."""

from lucid.ports.recording import Processor, Recorder, Storage
from lucid.ports.service import App, Ports
from lucid.services.session_processor.service import SessionProcessor
from lucid.services.session_processor.settings import SessionProcessorSettings


def create(settings: SessionProcessorSettings, ports: Ports) -> App:
    service = SessionProcessor(settings, recorder=ports.get(Recorder), storage=ports.get(Storage))
    return App(provides={Processor: service}, stop=service.stop)
