"""session-storage as the runtime sees it."""

from lucid.ports.recording import Storage
from lucid.ports.service import App, Ports
from lucid.ports.stores import Blobs
from lucid.services.session_storage.service import SessionStorage
from lucid.services.session_storage.settings import SessionStorageSettings


def create(settings: SessionStorageSettings, ports: Ports) -> App:
    service = SessionStorage(settings, blobs=ports.get(Blobs))
    return App(provides={Storage: service}, start=service.start, stop=service.stop, checks={"chunks": service.check})
