"""/api/v1/account: one's own account and password."""

from fastapi import APIRouter
from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Permission, Role
from lucid.model.principal import Method
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.lucid_auth_service.people import People
from lucid.services.lucid_auth_service.routes.forms import GUARDED, CallerOrigin, PasswordText, problems


class OwnAccount(Value):
    """The account of the person who asks, and how this login came about."""

    name: Name = Field(examples=["ada"])
    role: Role = Field(examples=["user"])
    created: Time = Field(examples=["2026-11-22T21:42:00.000000Z"])
    permissions: tuple[Permission, ...] = Field(description="those of the role, or fewer for an API token")
    methods: tuple[Method, ...] = Field(description="how the person proved who that is", examples=[["pwd", "otp"]])
    totp: bool = Field(description="whether an authenticator app is enrolled")
    passkeys: int = Field(description="number of passkeys", examples=[1])
    recovery_codes: int = Field(description="number of recovery codes that are left", examples=[10])


class PasswordChange(Value):
    """The password in use, and the one to use from now on: at least 12 characters."""

    current_password: PasswordText
    new_password: PasswordText


def account_routes(people: People) -> APIRouter:
    """Routes of one's own account; those of second factors and passkeys are in modules of their own."""
    router = APIRouter(prefix=f"{API_PREFIX}/account", tags=["account"])
    own = requires(Permission.ACCOUNT_OWN)

    @router.get(
        "",
        summary="See one's own account",
        operation_id="getOwnAccount",
        responses=problems(_404="the account was removed"),
        **own,
    )
    async def get_own_account(principal: Caller) -> OwnAccount:
        """Role, permissions, and which second factors are set up."""
        record = await people.store.get(principal.user)
        return OwnAccount(
            name=record.name,
            role=record.role,
            created=record.created,
            permissions=tuple(sorted(principal.permissions)),
            methods=principal.methods,
            totp=record.totp is not None,
            passkeys=len(record.passkeys),
            recovery_codes=len(record.recovery),
        )

    @router.post(
        "/password",
        status_code=204,
        summary="Change one's own password",
        operation_id="changeOwnPassword",
        responses=problems(**GUARDED),
        **own,
    )
    async def change_own_password(change: PasswordChange, principal: Caller, origin: CallerOrigin) -> None:
        """All logins end, this one too: log in again with the new password."""
        await people.accounts.set_password(
            name=principal.user, current=change.current_password, new=change.new_password, origin=origin
        )

    return router
