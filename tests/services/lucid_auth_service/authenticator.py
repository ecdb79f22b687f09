"""A WebAuthn authenticator in software (W3C Web Authentication Level 3, section 6), with the browser around it."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any, Literal

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Algorithm = Literal["ES256", "EdDSA"]

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Credential:
    """A passkey in the authenticator. `handle` is the user handle that it was made for."""

    id: bytes
    key: EllipticCurvePrivateKey | Ed25519PrivateKey
    domain: str
    handle: bytes
    count: int = 0

    def cose(self) -> bytes:
        """The public key in COSE's form (RFC 9053)."""
        if isinstance(self.key, Ed25519PrivateKey):
            raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: raw})
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data) if isinstance(self.key, Ed25519PrivateKey) else self.key.sign(data, ECDSA(SHA256()))


@dataclass
class Authenticator:
    """Makes and uses passkeys. `verifies`: it has a PIN or fingerprint reader, and the person uses it. `counts`:
    it has a signature counter; those of platforms often have none."""

    algorithm: Algorithm = "ES256"
    verifies: bool = True
    counts: bool = True
    origin: str = "http://localhost:12080"
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """navigator.credentials.create(): a RegistrationResponseJSON with the attestation `none`."""
        wanted = {"ES256": -7, "EdDSA": -8}[self.algorithm]
        assert wanted in [offered["alg"] for offered in options["pubKeyCredParams"]]
        mine = {encode(credential.id) for credential in self.credentials}
        assert not mine & {excluded["id"] for excluded in options["excludeCredentials"]}, "InvalidStateError"
        key = Ed25519PrivateKey.generate() if self.algorithm == "EdDSA" else generate_private_key(SECP256R1())
        credential = Credential(os.urandom(32), key, options["rp"]["id"], decode(options["user"]["id"]))
        self.credentials.append(credential)
        attested = bytes(16) + len(credential.id).to_bytes(2, "big") + credential.id + credential.cose()
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(credential, ATTESTED) + attested}
        return {
            "id": encode(credential.id),
            "rawId": encode(credential.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encode(self._client_data("webauthn.create", options["challenge"])),
                "attestationObject": encode(cbor2.dumps(attestation)),
                "transports": ["internal", "future-transport"],
            },
        }

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """navigator.credentials.get(): an AuthenticationResponseJSON."""
        assert self.verifies or options["userVerification"] != "required", "NotAllowedError"
        allowed = {decode(credential["id"]) for credential in options["allowCredentials"]}
        credential = next(
            found
            for found in self.credentials
            if found.domain == options["rpId"] and (not allowed or found.id in allowed)
        )
        return self.sign_with(credential, options["challenge"])

    def sign_with(self, credential: Credential, challenge: str) -> dict[str, Any]:
        """The response of this credential, whatever was asked for."""
        credential.count += self.counts
        data = self._data(credential, 0)
        client = self._client_data("webauthn.get", challenge)
        return {
            "id": encode(credential.id),
            "rawId": encode(credential.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encode(client),
                "authenticatorData": encode(data),
                "signature": encode(credential.sign(data + hashlib.sha256(client).digest())),
                "userHandle": encode(credential.handle),
            },
        }

    def _data(self, credential: Credential, flags: int) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.verifies else 0)
        return (
            hashlib.sha256(credential.domain.encode()).digest() + bytes([flags]) + credential.count.to_bytes(4, "big")
        )

    def _client_data(self, type: str, challenge: str) -> bytes:
        return json.dumps({"type": type, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()
