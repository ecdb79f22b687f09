"""/api/v1/login/oidc: login at an identity provider."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Cookie, Depends, Query, Response
from pydantic import Field

from lucid.access.oidc import OidcLogin
from lucid.access.refresh import Logins
from lucid.base.errors import NotFound, Unauthenticated
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.ports.api import API_PREFIX, PUBLIC
from lucid.services.lucid_auth_service.routes.forms import no_store, problems
from lucid.services.lucid_auth_service.routes.login import Anonymous
from lucid.services.lucid_auth_service.routes.token_forms import Tokens, TokenText, UserAgent, device_of, tokens_of

COOKIE = "lucid_oidc"
OFF = "no identity provider is set up"
_PATH = f"{API_PREFIX}/login/oidc"


class ProviderAnswer(Value):
    """What the provider puts into the address (RFC 6749 section 4.1.2, RFC 9207)."""

    state: str = Field(max_length=200)
    code: str = Field(default="", max_length=4096)
    iss: str | None = Field(default=None, max_length=500)
    error: str = Field(default="", max_length=200)


class Handover(Value):
    """What came in the address's fragment, `#handover=…`."""

    handover: TokenText


def oidc_routes(oidc: OidcLogin | None, logins: Logins, *, redirect_url: str, return_url: str) -> APIRouter:
    """Routes that answer 404 when no provider is set up. `redirect_url` is the public address of the callback,
    `return_url` the page to go on with."""
    router = APIRouter(prefix=_PATH, tags=["login"], dependencies=[Depends(no_store)])
    secure = urlsplit(redirect_url).scheme == "https"

    def provider() -> OidcLogin:
        if oidc is None:
            raise NotFound(OFF)
        return oidc

    Provider = Annotated[OidcLogin, Depends(provider)]  # noqa: N806 - a type

    @router.get(
        "",
        status_code=302,
        response_class=Response,
        summary="Log in at the identity provider",
        operation_id="logInAtProvider",
        responses={302: {"description": "Go to the identity provider"}, **problems(_404=OFF)},
        **PUBLIC,
    )
    async def log_in_at_provider(at: Provider) -> Response:
        """For browsers, which go on at the provider and come back to the callback."""
        start = await at.begin()
        response = Response(status_code=302, headers={"location": start.url, "cache-control": "no-store"})
        response.set_cookie(COOKIE, start.browser.reveal(), path=_PATH, secure=secure, httponly=True, samesite="lax")
        return response

    @router.get(
        "/callback",
        summary="Come back from the identity provider",
        operation_id="comeBackFromProvider",
        response_model=Tokens,
        responses={
            303: {"description": "Go on to the page that was set up, which fetches the tokens"},
            **problems(
                _401="the provider refused, or its answer is not genuine", _403="you have no account here", _404=OFF
            ),
        },
        **PUBLIC,
    )
    async def come_back_from_provider(
        answer: Annotated[ProviderAnswer, Query()],
        at: Provider,
        origin: Anonymous,
        browser: Annotated[str, Cookie(alias=COOKIE, max_length=200, include_in_schema=False)] = "",
        agent: UserAgent = "",
    ) -> Tokens | Response:
        """Answers with tokens, or sends the browser on to a page with a secret that stands for them."""
        if not answer.code:
            raise Unauthenticated("the identity provider refused: begin again")
        who, began = await at.finish(
            state=Secret(answer.state), code=answer.code, issuer=answer.iss, browser=Secret(browser), origin=origin
        )
        if return_url:
            handover = await at.hand_over(who, began)
            location = f"{return_url}#handover={handover.reveal()}"
            return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})
        return tokens_of(await logins.open(who, began=began, device=device_of(agent, None), origin=origin))

    @router.post(
        "/handover",
        summary="Fetch the tokens of a login at the identity provider",
        operation_id="takeOverLogin",
        responses=problems(_401="the handover is unknown, used or over", _403="the account is locked", _404=OFF),
        **PUBLIC,
    )
    async def take_over_login(request: Handover, at: Provider, origin: Anonymous, agent: UserAgent = "") -> Tokens:
        """For the page that the browser was sent to, once and within a minute."""
        who, began = await at.take_over(request.handover)
        return tokens_of(await logins.open(who, began=began, device=device_of(agent, None), origin=origin))

    return router
