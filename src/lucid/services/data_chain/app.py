"""Wiring of data-chain."""

from lucid.ports.log import DataChain
from lucid.ports.service import App, Ports
from lucid.ports.stores import Blobs
from lucid.services.data_chain.service import DataChainService
from lucid.services.data_chain.settings import DataChainSettings


def create(settings: DataChainSettings, ports: Ports) -> App:
    service = DataChainService(blobs=ports.get(Blobs), max_body_bytes=settings.max_body_bytes)
    return App(provides={DataChain: service})
