"""Recovery codes: what replaces a lost second factor, each once."""

import secrets

from lucid.access.factors.passwords import ALPHABET
from lucid.access.seal import AccountSeal

COUNT = 10
_GROUPS, _GROUP = 4, 4
_PURPOSE = "recovery-code"


def new_codes() -> list[str]:
    """Ten codes of 16 random characters in four groups: 79 bits each."""
    return ["-".join(_group() for _ in range(_GROUPS)) for _ in range(COUNT)]


def _group() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(_GROUP))


def looks_like_a_code(text: str) -> bool:
    """Whether it has the length of a recovery code, and not that of a TOTP."""
    return len(_plain(text)) == _GROUPS * _GROUP


def hash_code(seal: AccountSeal, name: str, code: str) -> str:
    """What is stored of a code. Capitals, spaces and dashes make no difference."""
    return seal.hash(_PURPOSE, name, _plain(code))


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()
