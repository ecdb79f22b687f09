"""Wiring of blockchain-engine."""

from lucid.crypto.note import SignerKey
from lucid.ports.log import LogStore, LogWriter
from lucid.ports.service import App, Ports
from lucid.ports.stores import Folder
from lucid.services.blockchain_engine.service import BlockchainEngine
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings


def create(settings: BlockchainEngineSettings, ports: Ports) -> App:
    """Raises InvalidInput when the key is malformed. The key's name is the log's origin."""
    signer = SignerKey.parse(settings.log_key)
    engine = BlockchainEngine(
        settings, store=ports.get(LogStore), folder=ports.get(Folder), signer=signer, clock=ports.clock
    )
    return App(provides={LogWriter: engine}, start=engine.start, stop=engine.stop, checks={"log": engine.check})
