"""session-pipeline as the runtime sees it."""

from lucid.ports.log import Anchoring, DataChain
from lucid.ports.recording import Pipeline, Processor, Recorder, Storage
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Documents
from lucid.services.session_pipeline.opening import Openings
from lucid.services.session_pipeline.orphans import Orphans
from lucid.services.session_pipeline.service import SessionPipeline
from lucid.services.session_pipeline.settings import SessionPipelineSettings
from lucid.services.session_pipeline.store import SessionStore
from lucid.services.session_pipeline.typed_store import TypedStore
from lucid.services.session_pipeline.worker import Line


def create(settings: SessionPipelineSettings, ports: Ports) -> App:
    store = SessionStore(ports.get(Documents), ports.get(Bus))
    recorder, anchoring = ports.get(Recorder), ports.get(Anchoring)
    openings = Openings(
        store=store, recorder=recorder, anchoring=anchoring, data_chain=ports.get(DataChain), clock=ports.clock
    )
    typed = TypedStore(ports.get(Documents), ports.get(Bus))
    line = Line(settings, store, typed, openings, recorder, ports.get(Processor), anchoring, ports.clock)
    orphans = Orphans(store, ports.get(Storage), interval_s=settings.sweep_interval_s)
    service = SessionPipeline(line, orphans)
    return App(provides={Pipeline: service}, start=service.start, stop=service.stop, checks={"sessions": service.check})
