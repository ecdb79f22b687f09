"""The ceremonies of WebAuthn (W3C Web Authentication Level 3, sections 7.1 and 7.2), without any state."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import webauthn
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pydantic import BaseModel, ConfigDict, Field
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_client_data_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from lucid.base.errors import Unauthenticated
from lucid.base.secret import Secret

_TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)

_MALFORMED = (
    WebAuthnException,
    InvalidSignature,
    UnsupportedAlgorithm,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the library raises for responses that no authenticator makes: it reads keys and numbers without checking, and
nested texts to any depth."""


class _Form(BaseModel):
    """What a browser sends; it may send more."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


_Base64Url = Field(max_length=16_384, pattern=r"^[A-Za-z0-9_-]+$", examples=["eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0"])
_CredentialId = Field(max_length=1_364, pattern=r"^[A-Za-z0-9_-]+$", examples=["q3V4eFWqPXbMlQ2uZUqEyQ"])


class Attestation(_Form):
    clientDataJSON: str = _Base64Url  # noqa: N815 - the standard's names
    attestationObject: str = _Base64Url  # noqa: N815
    transports: list[str] = Field(default=[], max_length=16, examples=[["internal"]])


class RegistrationResponse(_Form):
    """`PublicKeyCredential.toJSON()` after `navigator.credentials.create()` (RegistrationResponseJSON)."""

    id: str = _CredentialId
    rawId: str = _CredentialId  # noqa: N815
    type: str = Field(default="public-key", max_length=32, examples=["public-key"])
    response: Attestation


class Assertion(_Form):
    clientDataJSON: str = _Base64Url  # noqa: N815
    authenticatorData: str = _Base64Url  # noqa: N815
    signature: str = _Base64Url
    userHandle: str | None = Field(  # noqa: N815
        default=None, max_length=86, pattern=r"^[A-Za-z0-9_-]*$", examples=["3q2-7wABAgMEBQYHCAkKCw"]
    )


class AuthenticationResponse(_Form):
    """`PublicKeyCredential.toJSON()` after `navigator.credentials.get()` (AuthenticationResponseJSON)."""

    id: str = _CredentialId
    rawId: str = _CredentialId  # noqa: N815
    type: str = Field(default="public-key", max_length=32, examples=["public-key"])
    response: Assertion


@dataclass(frozen=True)
class NewCredential:
    """A credential as the authenticator made it. Texts are base64url; the key is in COSE's form."""

    credential: str
    public_key: str
    sign_count: int
    transports: tuple[str, ...]


@dataclass(frozen=True)
class RelyingParty:
    """Whom passkeys are for: `id` is the domain name that they are bound to, `origins` the web addresses that may use
    them, `timeout_s` how long a browser waits for the person."""

    id: str
    name: str
    origins: tuple[str, ...]
    timeout_s: float

    def creation_options(
        self, challenge: Secret, *, user: str, handle: bytes, excluded: Iterable[tuple[str, tuple[str, ...]]]
    ) -> dict[str, Any]:
        """PublicKeyCredentialCreationOptionsJSON. `excluded`: credentials that the person has already."""
        options = webauthn.generate_registration_options(
            rp_id=self.id,
            rp_name=self.name,
            user_name=user,
            user_id=handle,
            challenge=base64url_to_bytes(challenge.reveal()),
            timeout=int(self.timeout_s * 1000),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=_descriptors(excluded),
        )
        return options_to_json_dict(options)

    def request_options(
        self, challenge: Secret, *, allowed: Iterable[tuple[str, tuple[str, ...]]], verified: bool
    ) -> dict[str, Any]:
        """PublicKeyCredentialRequestOptionsJSON. Without `allowed` the authenticator offers what it has. `verified`:
        the person must be verified, by PIN or fingerprint."""
        options = webauthn.generate_authentication_options(
            rp_id=self.id,
            challenge=base64url_to_bytes(challenge.reveal()),
            timeout=int(self.timeout_s * 1000),
            allow_credentials=_descriptors(allowed),
            user_verification=(
                UserVerificationRequirement.REQUIRED if verified else UserVerificationRequirement.PREFERRED
            ),
        )
        return options_to_json_dict(options)

    def check_registration(self, response: RegistrationResponse, challenge: Secret) -> NewCredential:
        """The credential that was made for the challenge. Raises Unauthenticated."""
        try:
            made = webauthn.verify_registration_response(
                credential=response.model_dump(),
                expected_challenge=base64url_to_bytes(challenge.reveal()),
                expected_rp_id=self.id,
                expected_origin=list(self.origins),
            )
            # A key that cannot be used is refused now, not at the first login.
            decoded_public_key_to_cryptography(decode_credential_public_key(made.credential_public_key))
        except _MALFORMED as error:
            raise Unauthenticated(f"the passkey was refused: {_reason(error)}") from None
        return NewCredential(
            bytes_to_base64url(made.credential_id),
            bytes_to_base64url(made.credential_public_key),
            made.sign_count,
            tuple(sorted(_TRANSPORTS.intersection(response.response.transports))),
        )

    def check_authentication(
        self, response: AuthenticationResponse, challenge: Secret, *, public_key: str, verified: bool
    ) -> int:
        """The signature counter of a valid response; whether it has risen is for the caller to see, who knows then
        that it is genuine. Raises Unauthenticated."""
        try:
            checked = webauthn.verify_authentication_response(
                credential=response.model_dump(),
                expected_challenge=base64url_to_bytes(challenge.reveal()),
                expected_rp_id=self.id,
                expected_origin=list(self.origins),
                credential_public_key=base64url_to_bytes(public_key),
                credential_current_sign_count=0,
                require_user_verification=verified,
            )
        except _MALFORMED as error:
            raise Unauthenticated(f"the passkey was refused: {_reason(error)}") from None
        return checked.new_sign_count


def challenge_of(client_data: str) -> Secret:
    """The challenge that a browser says it answers (`clientDataJSON`), in base64url. Raises Unauthenticated."""
    try:
        return Secret(bytes_to_base64url(parse_client_data_json(base64url_to_bytes(client_data)).challenge))
    except _MALFORMED:
        raise Unauthenticated("the passkey was refused: malformed client data") from None


def _descriptors(credentials: Iterable[tuple[str, tuple[str, ...]]]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(credential), transports=[AuthenticatorTransport(name) for name in transports]
        )
        for credential, transports in credentials
    ]


def _reason(error: Exception) -> str:
    """What went wrong, without the bytes that were sent."""
    return type(error).__name__ if not isinstance(error, WebAuthnException) else str(error)[:120]
