"""/api/v1/keys: the keys that access tokens are signed with."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from lucid.access.acts import Acts
from lucid.access.signing_keys import SigningKeys
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.api import API_PREFIX, PUBLIC, Caller, requires
from lucid.services.lucid_auth_service.routes.forms import CallerOrigin, problems


class PublicKey(Value):
    """An Ed25519 key as a JWK (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str = Field(examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"])
    kid: str = Field(examples=["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"])
    alg: Literal["EdDSA"]
    use: Literal["sig"]


class KeySet(Value):
    """A JWKS (RFC 7517)."""

    keys: list[PublicKey]


class Rotated(Value):
    """The key that signs from now on."""

    kid: str = Field(examples=["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"])


def key_routes(keys: SigningKeys, acts: Acts, *, cache_s: int) -> APIRouter:
    """Routes of the signing keys."""
    router = APIRouter(prefix=f"{API_PREFIX}/keys", tags=["keys"])

    @router.get("", summary="Get the public keys", operation_id="getKeys", **PUBLIC)
    async def get_keys(response: Response) -> KeySet:
        """To check access tokens with: of the key that signs, the next one, and those whose tokens live."""
        response.headers["cache-control"] = f"public, max-age={cache_s}"
        return KeySet.model_validate(await keys.jwks())

    @router.post(
        "/rotation",
        status_code=201,
        summary="Rotate the signing key",
        operation_id="rotateKeys",
        responses=problems(_409="the next key was published too recently; `retry_after_s` says when to try again"),
        **requires(Permission.PLATFORM_MANAGE),
    )
    async def rotate_keys(principal: Caller, origin: CallerOrigin) -> Rotated:
        """The next key signs from now on, and a new next one is published. Tokens that live stay good."""
        kid = await keys.rotate()
        await acts.done("key.rotated", origin, accountable=True, key=kid, account=principal.user)
        return Rotated(kid=kid)

    return router
