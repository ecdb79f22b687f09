"""/api/v1/account/passkeys: one's own passkeys."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from lucid.access.factors.relying_party import RegistrationResponse
from lucid.access.records import PasskeyRecord
from lucid.base.clock import Time
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.lucid_auth_service.people import People
from lucid.services.lucid_auth_service.routes.forms import (
    GUARDED,
    CallerOrigin,
    Confirmation,
    Label,
    no_store,
    problems,
)

PasskeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=["8b2f4c1de0a95b7c3f6e1d2a4b5c6d7e"])]


class Passkey(Value):
    """A passkey as its owner knows it."""

    id: str = Field(examples=["8b2f4c1de0a95b7c3f6e1d2a4b5c6d7e"])
    name: str = Field(examples=["Laptop"])
    created: Time = Field(examples=["2026-11-22T21:42:00.000000Z"])
    used: Time | None = Field(description="the last login with it", examples=["2026-11-22T21:50:00.000000Z"])


class PasskeyList(Value):
    """All passkeys of the account; there are at most 20."""

    items: list[Passkey]


class NewPasskey(Value):
    """What the browser made of the options, and what the person calls it."""

    name: Label = Field(examples=["Laptop"])
    response: RegistrationResponse


class AddedPasskey(Value):
    """The new passkey. With the first second factor come recovery codes, which are shown this once."""

    passkey: Passkey
    recovery_codes: list[str] | None = Field(
        repr=False, description="null: those shown before stay good", examples=[["k3vd-9xwm-hqpr-27tz"]]
    )


class PasskeyCreation(Value):
    """For `PublicKeyCredential.parseCreationOptionsFromJSON`."""

    options: dict[str, Any]


def passkey_routes(people: People) -> APIRouter:
    """Routes of one's own passkeys."""
    router = APIRouter(prefix=f"{API_PREFIX}/account/passkeys", tags=["account"], dependencies=[Depends(no_store)])
    own = requires(Permission.ACCOUNT_OWN)

    @router.get(
        "",
        summary="List one's passkeys",
        operation_id="listOwnPasskeys",
        responses=problems(_404="the account was removed"),
        **own,
    )
    async def list_own_passkeys(principal: Caller) -> PasskeyList:
        """In the order in which they were added."""
        record = await people.store.get(principal.user)
        return PasskeyList(items=[_shown(passkey) for passkey in record.passkeys])

    @router.post(
        "/options",
        summary="Begin to add a passkey",
        operation_id="offerOwnPasskey",
        responses=problems(**GUARDED, _409="there is no room for another passkey"),
        **own,
    )
    async def offer_own_passkey(confirmation: Confirmation, principal: Caller, origin: CallerOrigin) -> PasskeyCreation:
        """Options with a challenge that is good once and for some minutes."""
        await people.accounts.confirm(name=principal.user, proof=confirmation.proof, origin=origin)
        return PasskeyCreation(options=await people.passkeys.registration_options(principal.user))

    @router.post(
        "",
        status_code=201,
        summary="Add a passkey",
        operation_id="addOwnPasskey",
        responses=problems(_404="the account was removed", _409="the passkey is registered already"),
        **own,
    )
    async def add_own_passkey(new: NewPasskey, principal: Caller, origin: CallerOrigin) -> AddedPasskey:
        """From now on logins ask for a second factor, or for the passkey alone."""
        passkey, codes = await people.passkeys.register(principal.user, new.name, new.response, origin=origin)
        return AddedPasskey(passkey=_shown(passkey), recovery_codes=codes)

    @router.post(
        "/{id}/removal",
        status_code=204,
        summary="Remove a passkey",
        operation_id="removeOwnPasskey",
        responses=problems(**GUARDED, _404="there is no such passkey"),
        **own,
    )
    async def remove_own_passkey(
        id: PasskeyId, confirmation: Confirmation, principal: Caller, origin: CallerOrigin
    ) -> None:
        """With the last second factor the recovery codes end too."""
        await people.accounts.confirm(name=principal.user, proof=confirmation.proof, origin=origin)
        await people.passkeys.remove(principal.user, id, origin=origin)

    return router


def _shown(passkey: PasskeyRecord) -> Passkey:
    return Passkey(id=passkey.id, name=passkey.name, created=passkey.created, used=passkey.used)
