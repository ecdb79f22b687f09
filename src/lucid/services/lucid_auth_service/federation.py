"""Login at an identity provider, put together from the settings."""

from lucid.access.acts import Acts
from lucid.access.oidc import OidcLogin, OidcRules
from lucid.access.oidc_provider import OidcClient, OidcProvider
from lucid.access.one_time import OneTime
from lucid.base.clock import Clock
from lucid.base.errors import InvalidInput
from lucid.ports.stores import Documents
from lucid.ports.web import Web
from lucid.services.lucid_auth_service.people import People
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings

HANDOVER_S = 60.0
"""How long a browser has to fetch its tokens."""


def oidc_login(
    settings: LucidAuthServiceSettings, *, documents: Documents, web: Web, people: People, acts: Acts, clock: Clock
) -> OidcLogin | None:
    """None when no provider is set up. Raises InvalidInput for one that is set up in part."""
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id or not settings.oidc_client_secret.reveal():
        raise InvalidInput("oidc_issuer: needs oidc_client_id and oidc_client_secret too", field="oidc_issuer")
    client = OidcClient(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        settings.oidc_redirect_url,
        settings.oidc_scopes,
    )
    rules = OidcRules(
        settings.oidc_name_claim,
        settings.oidc_groups_claim,
        settings.oidc_roles,
        settings.oidc_default_role or None,
        settings.oidc_create_accounts,
        settings.oidc_adopt_accounts,
    )
    return OidcLogin(
        rules,
        provider=OidcProvider(client, web=web, clock=clock),
        states=OneTime("login at the identity provider", settings.sign_in_life_s, documents=documents, clock=clock),
        handovers=OneTime("handover", HANDOVER_S, documents=documents, clock=clock),
        documents=documents,
        store=people.store,
        book=people.accounts,
        acts=acts,
        clock=clock,
    )
