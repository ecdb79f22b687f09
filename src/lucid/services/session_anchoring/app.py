"""Wiring of session-anchoring."""

from lucid.crypto.note import VerifierKey
from lucid.ports.log import Anchoring, DataChain, LogStore, LogWriter
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.session_anchoring.service import SessionAnchoring
from lucid.services.session_anchoring.settings import SessionAnchoringSettings


def create(settings: SessionAnchoringSettings, ports: Ports) -> App:
    service = SessionAnchoring(
        writer=ports.get(LogWriter),
        store=ports.get(LogStore),
        bodies=ports.get(DataChain),
        documents=ports.get(Documents),
        verifier=VerifierKey.parse(settings.log_key),
        clock=ports.clock,
        actor=settings.actor,
    )
    return App(provides={Anchoring: service})
