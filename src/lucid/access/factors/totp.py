"""Time-based one-time passwords (RFC 6238): HMAC-SHA-1, six digits, steps of 30 seconds, as all apps know them."""

import hmac
import re

import pyotp

from lucid.access.seal import AccountSeal
from lucid.base.clock import Clock, parse_time
from lucid.base.secret import Secret

STEP_S = 30
WINDOW = 1
"""Steps before and after the present one whose code is taken too: clocks differ, and people type slowly."""

PURPOSE = "totp-secret"
_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> Secret:
    """160 random bits in base32 (RFC 4226 section 4)."""
    return Secret(pyotp.random_base32())


def provisioning_uri(secret: Secret, name: str, issuer: str) -> str:
    """The otpauth URI that an app reads as a QR code; it holds the secret."""
    return pyotp.TOTP(secret.reveal(), interval=STEP_S).provisioning_uri(name=name, issuer_name=issuer)


def matching_step(secret: Secret, code: Secret, *, now: str, after: int) -> int | None:
    """The time step whose code this is, near `now` and behind the step `after` (RFC 6238 section 5.2: a code is taken
    once); None when there is none."""
    text = "".join(code.reveal().split())
    if not _CODE.fullmatch(text):
        return None
    totp = pyotp.TOTP(secret.reveal(), interval=STEP_S)
    present = int(parse_time(now).timestamp()) // STEP_S
    matched = None
    for step in range(max(0, present - WINDOW), present + WINDOW + 1):
        if hmac.compare_digest(totp.generate_otp(step), text) and step > after:
            matched = step
    return matched


class Codes:
    """Checks codes against sealed secrets."""

    def __init__(self, seal: AccountSeal, clock: Clock) -> None:
        self._seal = seal
        self._clock = clock

    def seal(self, name: str, secret: Secret) -> str:
        """The form that is stored."""
        return self._seal.seal(PURPOSE, name, secret)

    def step(self, name: str, sealed: str, code: Secret, *, after: int) -> int | None:
        """As `matching_step`, for the stored secret of the account. Raises Corrupted."""
        return matching_step(self._seal.open(PURPOSE, name, sealed), code, now=self._clock.now(), after=after)
