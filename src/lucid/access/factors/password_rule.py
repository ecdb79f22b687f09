"""Which passwords people may choose: long ones that are not known to be guessed first (NIST SP 800-63B 3.1.1.2)."""

import unicodedata

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret

SHORTEST = 12
LONGEST = 1024
_DISTINCT = 5
_OWN = 8
"""Characters that are left of a password when what everybody would try first is taken out."""

_ROWS = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "01234567890")
_RUN = 4
_PHRASE = 64
"""Characters from which on nobody guesses a password from words and rows of keys."""

_COMMON = (
    "administrator",
    "password",
    "passwort",
    "changeme",
    "iloveyou",
    "letmein",
    "welcome",
    "secret",
    "geheim",
    "lucid",
    "admin",
)


def check_password(password: Secret, name: str) -> None:
    """Raises InvalidInput that says why the password cannot be the one of the account `name`."""
    text = unicodedata.normalize("NFKC", password.reveal())
    if len(text) < SHORTEST:
        raise _refusal(f"expected at least {SHORTEST} characters")
    if len(text) > LONGEST:
        raise _refusal(f"expected at most {LONGEST} characters")
    folded = text.casefold()
    if len(set(folded)) < _DISTINCT:
        raise _refusal("too few different characters")
    if len(folded) > _PHRASE:
        return
    for known in (name, *_COMMON, *_runs(folded)):
        folded = folded.replace(known, "") if len(known) >= _RUN else folded
    if len(folded.strip()) < _OWN and len(folded) < len(text):
        raise _refusal("too much of it is the account's name, a common word or a row of keys")


def _runs(text: str) -> list[str]:
    """The parts of the text that follow the alphabet, the digits or a row of keys, the longest first."""
    found = set()
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        for start in range(len(text)):
            end = start
            while end < len(text) and text[start : end + 1] in row:
                end += 1
            if end - start >= _RUN:
                found.add(text[start:end])
    return sorted(found, key=len, reverse=True)


def _refusal(reason: str) -> InvalidInput:
    return InvalidInput(f"new password: {reason}", field="new_password")
