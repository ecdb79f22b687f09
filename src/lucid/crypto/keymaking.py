"""Making the keys of an installation, and telling their public halves."""

import secrets

from lucid.base.secret import Secret
from lucid.crypto.age import new_identity, recipient_of
from lucid.crypto.jwt import TokenKey, public_jwk
from lucid.crypto.note import SignerKey
from lucid.model.keykind import KeyKind


def make_key(kind: KeyKind) -> Secret:
    """A new key as one line of text."""
    match kind:
        case "age-identity":
            return new_identity()
        case "log-key":
            return SignerKey.generate(f"lucid.local/{secrets.token_hex(4)}").format()
        case "aead-key":
            return Secret(secrets.token_hex(32))
        case "token":
            return Secret(secrets.token_urlsafe(32))
        case "identity-key":
            return TokenKey.generate().format()


def public_half(kind: KeyKind, secret: Secret) -> str | None:
    """An age recipient, a verifier key (C2SP signed-note), or the base64url of an Ed25519 public key; None for kinds
    without one. Raises InvalidInput for a malformed key."""
    match kind:
        case "age-identity":
            return recipient_of(secret)
        case "log-key":
            return SignerKey.parse(secret).verifier.format()
        case "identity-key":
            return str(public_jwk(TokenKey.parse(secret).private.public_key())["x"])
        case _:
            return None
