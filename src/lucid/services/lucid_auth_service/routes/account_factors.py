"""/api/v1/account/totp and /recovery-codes: one's own second factors that are typed."""

import asyncio

from fastapi import APIRouter, Depends
from pydantic import Field

from lucid.base.clock import Time
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.lucid_auth_service.people import People
from lucid.services.lucid_auth_service.qr import svg
from lucid.services.lucid_auth_service.routes.forms import (
    GUARDED,
    CallerOrigin,
    CodeText,
    Confirmation,
    no_store,
    problems,
)

_URI = "otpauth://totp/Lucid:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Lucid"
_CODES = ["k3vd-9xwm-hqpr-27tz", "m2hx-wq8c-fa5e-jn6y"]


class TotpOffer(Value):
    """A new secret for an authenticator app. It counts once a code of it has been confirmed, before `expires`."""

    secret: str = Field(repr=False, description="in base32, to be typed", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(repr=False, description="the secret as an otpauth URI", examples=[_URI])
    qr_svg: str = Field(repr=False, description="the URI as a QR code, an SVG image", examples=["<svg>...</svg>"])
    expires: Time = Field(examples=["2026-11-22T21:52:00.000000Z"])


class TotpCode(Value):
    """What the app shows."""

    code: CodeText


class FirstCodes(Value):
    """Recovery codes that came with the first second factor. They are shown this once."""

    recovery_codes: list[str] | None = Field(
        repr=False, description="null: those shown before stay good", examples=[_CODES]
    )


class RecoveryCodes(Value):
    """Codes that each replace a second factor once. They are shown this once."""

    recovery_codes: list[str] = Field(repr=False, examples=[_CODES])


def factor_routes(people: People) -> APIRouter:
    """Routes of one's own authenticator app and recovery codes."""
    router = APIRouter(prefix=f"{API_PREFIX}/account", tags=["account"], dependencies=[Depends(no_store)])
    own = requires(Permission.ACCOUNT_OWN)

    @router.post(
        "/totp",
        status_code=201,
        summary="Begin to enrol an authenticator app",
        operation_id="offerOwnTotp",
        responses=problems(**GUARDED),
        **own,
    )
    async def offer_own_totp(confirmation: Confirmation, principal: Caller, origin: CallerOrigin) -> TotpOffer:
        """A present app stays good until the new one is confirmed."""
        await people.accounts.confirm(name=principal.user, proof=confirmation.proof, origin=origin)
        offer = await people.second_factors.offer_totp(principal.user)
        picture = await asyncio.to_thread(svg, offer.uri)
        return TotpOffer(secret=offer.secret.reveal(), uri=offer.uri, qr_svg=picture, expires=offer.expires)

    @router.post(
        "/totp/confirmation",
        summary="Finish to enrol an authenticator app",
        operation_id="confirmOwnTotp",
        responses=problems(**GUARDED, _404="the account was removed", _409="no app is being enrolled"),
        **own,
    )
    async def confirm_own_totp(shown: TotpCode, principal: Caller, origin: CallerOrigin) -> FirstCodes:
        """From now on logins ask for a code. The code shown here is used up."""
        codes = await people.second_factors.confirm_totp(principal.user, shown.code, origin=origin)
        return FirstCodes(recovery_codes=codes)

    @router.post(
        "/totp/removal",
        status_code=204,
        summary="Remove one's authenticator app",
        operation_id="removeOwnTotp",
        responses=problems(**GUARDED, _404="no app is enrolled"),
        **own,
    )
    async def remove_own_totp(confirmation: Confirmation, principal: Caller, origin: CallerOrigin) -> None:
        """With the last second factor the recovery codes end too."""
        await people.accounts.confirm(name=principal.user, proof=confirmation.proof, origin=origin)
        await people.second_factors.remove_totp(principal.user, origin=origin)

    @router.post(
        "/recovery-codes",
        status_code=201,
        summary="Renew one's recovery codes",
        operation_id="renewOwnRecoveryCodes",
        responses=problems(**GUARDED, _409="there is no second factor yet"),
        **own,
    )
    async def renew_own_recovery_codes(
        confirmation: Confirmation, principal: Caller, origin: CallerOrigin
    ) -> RecoveryCodes:
        """Ten new ones; the old ones end."""
        await people.accounts.confirm(name=principal.user, proof=confirmation.proof, origin=origin)
        return RecoveryCodes(recovery_codes=await people.second_factors.renew_recovery(principal.user, origin=origin))

    return router
