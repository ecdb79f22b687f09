"""lucid-auth-service as the runtime sees it."""

from fastapi import APIRouter

from lucid.ports.access import AccountKeeping, Accounts, Approvals, Audit, Tickets, Tokens
from lucid.ports.log import Anchoring
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Documents
from lucid.ports.web import Web
from lucid.services.lucid_auth_service.federation import oidc_login
from lucid.services.lucid_auth_service.routes.account import account_routes
from lucid.services.lucid_auth_service.routes.account_factors import factor_routes
from lucid.services.lucid_auth_service.routes.account_passkeys import passkey_routes
from lucid.services.lucid_auth_service.routes.accounts import accounts_routes
from lucid.services.lucid_auth_service.routes.approvals import approval_routes
from lucid.services.lucid_auth_service.routes.audit import audit_routes
from lucid.services.lucid_auth_service.routes.keys import key_routes
from lucid.services.lucid_auth_service.routes.login import login_routes
from lucid.services.lucid_auth_service.routes.login_oidc import oidc_routes
from lucid.services.lucid_auth_service.routes.logins import logins_routes
from lucid.services.lucid_auth_service.routes.tokens import token_routes
from lucid.services.lucid_auth_service.service import AuthService
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings


def create(settings: LucidAuthServiceSettings, ports: Ports) -> App:
    service = AuthService(
        settings,
        documents=ports.get(Documents),
        bus=ports.get(Bus),
        anchoring=ports.get(Anchoring),
        clock=ports.clock,
    )
    return App(
        provides={
            Tickets: service.tickets,
            Accounts: service.accounts,
            AccountKeeping: service.accounts,
            Tokens: service.credentials.desk,
            Audit: service.trail,
            Approvals: service.approvals,
        },
        api=_api(settings, service, ports),
        start=service.start,
        stop=service.stop,
        checks={"background": service.check},
    )


def _api(settings: LucidAuthServiceSettings, service: AuthService, ports: Ports) -> APIRouter:
    credentials, people = service.credentials, service.people
    api = APIRouter()
    for routes in (account_routes, factor_routes, passkey_routes, accounts_routes):
        api.include_router(routes(people))
    api.include_router(login_routes(people.sign_in, credentials.logins, ports.clock))
    oidc = oidc_login(
        settings,
        documents=ports.get(Documents),
        web=ports.get(Web),
        people=people,
        acts=service.acts,
        clock=ports.clock,
    )
    api.include_router(
        oidc_routes(
            oidc, credentials.logins, redirect_url=settings.oidc_redirect_url, return_url=settings.oidc_return_url
        )
    )
    api.include_router(logins_routes(credentials.logins))
    api.include_router(token_routes(credentials.api_tokens))
    api.include_router(key_routes(credentials.keys, service.acts, cache_s=settings.key_cache_s))
    api.include_router(audit_routes(service.trail))
    api.include_router(approval_routes(service.approvals))
    return api
