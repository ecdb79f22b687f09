"""session-api as the runtime sees it."""

from lucid.ports.access import Accounts, Approvals, Audit, Gateway, Hosts, Tickets
from lucid.ports.keeping import Keeping
from lucid.ports.log import Anchoring, DataChain, LogWriter
from lucid.ports.recording import Pipeline, Storage
from lucid.ports.search import Search, SearchIndex
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Documents
from lucid.services.session_api.routes import api_routes
from lucid.services.session_api.service import SessionApi
from lucid.services.session_api.settings import SessionApiSettings


def create(settings: SessionApiSettings, ports: Ports) -> App:
    service = SessionApi(
        settings,
        pipeline=ports.get(Pipeline),
        anchoring=ports.get(Anchoring),
        bodies=ports.get(DataChain),
        storage=ports.get(Storage),
        log=ports.get(LogWriter),
        tickets=ports.get(Tickets),
        approvals=ports.get(Approvals),
        accounts=ports.get(Accounts),
        audit=ports.get(Audit),
        hosts=ports.get(Hosts),
        gateway=ports.get(Gateway),
        index=ports.get(SearchIndex),
        bus=ports.get(Bus),
        documents=ports.get(Documents),
        clock=ports.clock,
    )
    return App(
        provides={Keeping: service.keeper, Search: service.searcher},
        api=api_routes(service),
        start=service.start,
        stop=service.stop,
        checks={"background": service.check},
    )
