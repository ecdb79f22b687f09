"""Wiring of block-manager."""

from lucid.crypto.note import VerifierKey
from lucid.ports.log import LogStore
from lucid.ports.service import App, Ports
from lucid.ports.stores import Folder
from lucid.services.block_manager.routes import routes
from lucid.services.block_manager.service import BlockManager
from lucid.services.block_manager.settings import BlockManagerSettings


def create(settings: BlockManagerSettings, ports: Ports) -> App:
    verifier = VerifierKey.parse(settings.log_key)
    manager = BlockManager(folder=ports.get(Folder), verifier=verifier, cached_tiles=settings.cached_tiles)
    return App(
        provides={LogStore: manager},
        routes=routes(manager, verifier.format()),
        start=manager.start,
        stop=manager.stop,
        checks={"log": manager.check},
    )
