"""lucid-auth-service as the runtime sees it."""

from lucid.ports.access import Accounts, Tickets
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.lucid_auth_service.service import AuthService
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings


def create(settings: LucidAuthServiceSettings, ports: Ports) -> App:
    service = AuthService(settings, documents=ports.get(Documents), clock=ports.clock)
    return App(
        provides={Tickets: service.tickets, Accounts: service.accounts},
        start=service.start,
        stop=service.stop,
        checks={"sweeper": service.check},
    )
