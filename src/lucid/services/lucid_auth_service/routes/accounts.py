"""/api/v1/accounts: everybody's accounts, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field, StrictBool

from lucid.base.errors import Conflict
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Permission, Role
from lucid.model.principal import Principal
from lucid.ports.access import Account
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.lucid_auth_service.people import People
from lucid.services.lucid_auth_service.routes.forms import CallerOrigin, no_store, problems

AccountName = Annotated[Name, Path(description="name of the account", examples=["ada"])]

_UNKNOWN = {"_404": "there is no such account"}
_LAST = {"_409": "no administrator who can log in would be left"}
_OWN = {"_409": "it is the account of the person who asks"}


class AccountPage(Value):
    """Accounts by name; `next` is the `after` of the next page, null on the last one."""

    items: list[Account]
    next: Name | None = Field(examples=["ada"])


class NewAccount(Value):
    """Who is to have an account."""

    name: Name = Field(examples=["ada"])
    role: Role = Field(default="user", examples=["user"])


class FirstPassword(Value):
    """A password that was made at random. It is shown this once."""

    password: str = Field(repr=False, examples=["c7fw3k-m9x2hd-rt8p4n-yq6zva"])


class CreatedAccount(FirstPassword):
    """The new account and its first password, which is shown this once."""

    account: Account


class AccountChange(Value):
    """What is to change; the rest stays."""

    role: Role | None = Field(default=None, examples=["developer"])
    locked: StrictBool | None = Field(default=None, description="a locked account cannot log in", examples=[True])


def accounts_routes(people: People) -> APIRouter:
    """Routes of everybody's accounts."""
    router = APIRouter(prefix=f"{API_PREFIX}/accounts", tags=["accounts"], dependencies=[Depends(no_store)])
    read, manage = requires(Permission.ACCOUNTS_READ), requires(Permission.ACCOUNTS_MANAGE)

    @router.get("", summary="List accounts", operation_id="listAccounts", **read)
    async def list_accounts(
        after: Annotated[Name | None, Query(description="continue behind this name")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="most items of a page")] = 50,
    ) -> AccountPage:
        """Accounts by name."""
        found = await people.accounts.list(after=after, limit=limit + 1)
        items = found[:limit]
        return AccountPage(items=items, next=items[-1].name if len(found) > limit else None)

    @router.post(
        "",
        status_code=201,
        summary="Create an account",
        operation_id="createAccount",
        responses=problems(_409="the name is taken, or belonged to an account that was removed"),
        **manage,
    )
    async def create_account(new: NewAccount, origin: CallerOrigin) -> CreatedAccount:
        """The account gets a random first password, which the person should change."""
        password = await people.accounts.create(name=new.name, role=new.role, origin=origin)
        return CreatedAccount(account=await people.accounts.get(name=new.name), password=password.reveal())

    @router.get("/{name}", summary="See an account", operation_id="getAccount", responses=problems(**_UNKNOWN), **read)
    async def get_account(name: AccountName) -> Account:
        """Role, lock and second factors of an account."""
        return await people.accounts.get(name=name)

    @router.patch(
        "/{name}",
        summary="Change role or lock of an account",
        operation_id="changeAccount",
        responses=problems(**_UNKNOWN, **_LAST),
        **manage,
    )
    async def change_account(name: AccountName, change: AccountChange, origin: CallerOrigin) -> Account:
        """All logins of the account end."""
        return await people.accounts.change(name=name, role=change.role, locked=change.locked, origin=origin)

    @router.delete(
        "/{name}",
        status_code=204,
        summary="Remove an account",
        operation_id="removeAccount",
        responses=problems(**_UNKNOWN, **_LAST),
        **manage,
    )
    async def remove_account(name: AccountName, origin: CallerOrigin) -> None:
        """Its recordings stay, and its name is not given again."""
        await people.accounts.remove(name=name, origin=origin)

    @router.post(
        "/{name}/password",
        status_code=201,
        summary="Give an account a new random password",
        operation_id="resetAccountPassword",
        responses=problems(**_UNKNOWN, **_OWN),
        **manage,
    )
    async def reset_account_password(name: AccountName, principal: Caller, origin: CallerOrigin) -> FirstPassword:
        """All its logins end and its second factors are removed."""
        _check_other(name, principal)
        password = await people.accounts.reset_password(name=name, origin=origin)
        return FirstPassword(password=password.reveal())

    @router.delete(
        "/{name}/second-factors",
        status_code=204,
        summary="Remove the second factors of an account",
        operation_id="removeAccountSecondFactors",
        responses=problems(**_UNKNOWN, **_OWN),
        **manage,
    )
    async def remove_account_second_factors(name: AccountName, principal: Caller, origin: CallerOrigin) -> None:
        """For somebody who lost them, recovery codes included. The password stays."""
        _check_other(name, principal)
        await people.second_factors.remove_all(name, origin=origin)

    return router


def _check_other(name: str, principal: Principal) -> None:
    """A stolen login must not take over the account of its owner without the password. Raises Conflict."""
    if name == principal.user:
        raise Conflict("this is your own account: see /api/v1/account")
