"""/api/v1/tokens: personal API tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field, StrictInt

from lucid.access.api_tokens import MAX_DAYS, ApiToken, ApiTokens
from lucid.base.clock import Time
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.lucid_auth_service.routes.forms import CallerOrigin, Label, no_store, problems
from lucid.services.lucid_auth_service.routes.token_forms import Id


class TokenRequest(Value):
    """What a new token is called, what it may do at most, and for how long."""

    label: Label = Field(examples=["backup script"])
    scopes: list[Permission] = Field(min_length=1, max_length=len(Permission), examples=[["sessions:read"]])
    days: StrictInt = Field(ge=1, le=MAX_DAYS, description="days until it ends", examples=[90])


class TokenInfo(Value):
    """A token without its secret. It allows what both its scopes and the role allow at the time."""

    id: str = Field(examples=["6f1ed002ab5595859014ebf0951522d9"])
    label: str = Field(examples=["backup script"])
    scopes: tuple[str, ...] = Field(examples=[["sessions:read"]])
    created: Time = Field(examples=["2026-11-22T21:42:00.000000Z"])
    expires: Time = Field(examples=["2027-02-20T21:42:00.000000Z"])
    used: Time | None = Field(
        description="time of the last use, to the minute", examples=["2026-11-23T08:00:00.000000Z"]
    )


class NewToken(Value):
    """A token with its secret, which is shown this once."""

    token: TokenInfo
    secret: str = Field(repr=False, examples=["lucid_pat_…"])


class TokenList(Value):
    """All of them, the oldest first."""

    items: list[TokenInfo]
    next: None = None


def token_routes(tokens: ApiTokens) -> APIRouter:
    """Routes of one's own API tokens."""
    router = APIRouter(prefix=f"{API_PREFIX}/tokens", tags=["tokens"])
    own = requires(Permission.TOKENS_OWN)

    @router.get("", summary="List one's own API tokens", operation_id="listTokens", **own)
    async def list_tokens(principal: Caller) -> TokenList:
        """Those that expired not long ago are among them."""
        return TokenList(items=[_info(token) for token in await tokens.list(principal.user)])

    @router.post(
        "",
        status_code=201,
        summary="Make an API token",
        operation_id="createToken",
        responses=problems(
            _403="a scope is more than you may do yourself, or this is no login but an API token",
            _409="there are too many tokens",
        ),
        dependencies=[*own["dependencies"], Depends(no_store)],
        openapi_extra=own["openapi_extra"],
    )
    async def create_token(request: TokenRequest, principal: Caller, origin: CallerOrigin) -> NewToken:
        """The secret is shown in this answer only. Show it as `Authorization: Bearer lucid_pat_…`."""
        made = await tokens.create(
            principal, label=request.label, scopes=request.scopes, days=request.days, origin=origin
        )
        return NewToken(token=_info(made.token), secret=made.secret.reveal())

    @router.delete(
        "/{id}",
        status_code=204,
        summary="Revoke an API token",
        operation_id="revokeToken",
        responses=problems(_404="there is no such token"),
        **own,
    )
    async def revoke_token(id: Annotated[Id, Path()], principal: Caller, origin: CallerOrigin) -> None:
        """It ends within seconds everywhere."""
        await tokens.revoke(principal.user, id, origin=origin)

    return router


def _info(token: ApiToken) -> TokenInfo:
    return TokenInfo.model_validate({name: getattr(token, name) for name in TokenInfo.model_fields})
