"""/api/v1/logins and /api/v1/logout: where one is logged in, and the end of it."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from lucid.access.refresh import Login, Logins
from lucid.base.clock import Time
from lucid.base.errors import Conflict
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.model.principal import Method
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.lucid_auth_service.routes.forms import CallerOrigin, problems
from lucid.services.lucid_auth_service.routes.token_forms import Id


class OwnLogin(Value):
    """A login: on which device it began and from where it was used last."""

    id: str = Field(examples=["019ac1f0-5b7a-7cc3-98c4-dc0c0c07398f"])
    device: str = Field(examples=["Firefox on the laptop"])
    address: str = Field(examples=["192.0.2.7"])
    methods: tuple[Method, ...] = Field(examples=[["pwd", "otp"]])
    created: Time = Field(examples=["2026-11-22T21:42:00.000000Z"])
    used: Time = Field(description="time of the last new tokens", examples=["2026-11-22T21:57:00.000000Z"])
    expires: Time = Field(description="it ends then in any case", examples=["2026-12-22T21:42:00.000000Z"])
    current: bool = Field(description="whether this request belongs to it")


class OwnLogins(Value):
    """All of them, the newest first."""

    items: list[OwnLogin]
    next: None = None


def logins_routes(logins: Logins) -> APIRouter:
    """Routes of one's own logins."""
    router = APIRouter(prefix=API_PREFIX, tags=["login"])
    own = requires(Permission.ACCOUNT_OWN)

    @router.get("/logins", summary="List one's own logins", operation_id="listLogins", **own)
    async def list_logins(principal: Caller) -> OwnLogins:
        """Those that have not ended."""
        return OwnLogins(items=[_shown(login, principal.session) for login in await logins.list(principal.user)])

    @router.delete(
        "/logins/{id}",
        status_code=204,
        summary="End one of one's own logins",
        operation_id="endLogin",
        responses=problems(_404="there is no such login"),
        **own,
    )
    async def end_login(id: Annotated[Id, Path()], principal: Caller, origin: CallerOrigin) -> None:
        """Its tokens end, also those that are in use."""
        await logins.end(principal.user, id, origin=origin)

    @router.delete("/logins", status_code=204, summary="Log out everywhere", operation_id="endAllLogins", **own)
    async def end_all_logins(principal: Caller, origin: CallerOrigin) -> None:
        """All of one's own logins end, this one too. API tokens stay."""
        await logins.end_all(principal.user, origin=origin)

    @router.post(
        "/logout",
        status_code=204,
        summary="Log out",
        operation_id="logOut",
        responses=problems(_404="the login has ended already", _409="an API token was shown: revoke it instead"),
        **own,
    )
    async def log_out(principal: Caller, origin: CallerOrigin) -> None:
        """The login that this request belongs to ends."""
        if not principal.session:
            raise Conflict("an API token belongs to no login: revoke it instead")
        await logins.end(principal.user, principal.session, origin=origin)

    return router


def _shown(login: Login, current: str) -> OwnLogin:
    shown = {name: getattr(login, name) for name in OwnLogin.model_fields if name != "current"}
    return OwnLogin(current=login.id == current, **shown)
