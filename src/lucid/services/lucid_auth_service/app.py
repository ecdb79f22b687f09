"""lucid-auth-service as the runtime sees it."""

from fastapi import APIRouter

from lucid.ports.access import AccountKeeping, Accounts, Tickets
from lucid.ports.service import App, Ports
from lucid.ports.stores import Documents
from lucid.services.lucid_auth_service.routes.account import account_routes
from lucid.services.lucid_auth_service.routes.account_factors import factor_routes
from lucid.services.lucid_auth_service.routes.account_passkeys import passkey_routes
from lucid.services.lucid_auth_service.routes.accounts import accounts_routes
from lucid.services.lucid_auth_service.service import AuthService
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings


def create(settings: LucidAuthServiceSettings, ports: Ports) -> App:
    service = AuthService(settings, documents=ports.get(Documents), clock=ports.clock)
    api = APIRouter()
    for routes in (account_routes, factor_routes, passkey_routes, accounts_routes):
        api.include_router(routes(service.people))
    return App(
        provides={
            Tickets: service.tickets,
            Accounts: service.accounts,
            AccountKeeping: service.accounts,
        },
        api=api,
        start=service.start,
        stop=service.stop,
        checks={"sweeper": service.check},
    )
