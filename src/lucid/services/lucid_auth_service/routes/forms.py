"""What the routes' parameters and answers have in common."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from lucid.access.accounts import Proof
from lucid.access.acts import UNKNOWN, Origin
from lucid.access.factors.password_rule import LONGEST
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.ports.api import Caller

LONGEST_CODE = 64


def _secret_text(longest: int, example: str) -> tuple[AfterValidator, WithJsonSchema]:
    def check(secret: Secret) -> Secret:
        if not 1 <= len(secret.reveal()) <= longest:
            raise ValueError(f"expected 1 to {longest} characters")
        return secret

    schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": longest, "writeOnly": True}
    return AfterValidator(check), WithJsonSchema({**schema, "format": "password", "examples": [example]})


_PASSWORD, _PASSWORD_SCHEMA = _secret_text(LONGEST, "correct horse battery staple")
_CODE, _CODE_SCHEMA = _secret_text(LONGEST_CODE, "492039")

PasswordText = Annotated[Secret, _PASSWORD, _PASSWORD_SCHEMA]
CodeText = Annotated[Secret, _CODE, _CODE_SCHEMA]
"""A code of an authenticator app, or a recovery code."""

Label = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""What a person calls a thing."""


class ByPassword(Value):
    """The person proves again who that is, with the current password."""

    password: PasswordText

    @property
    def proof(self) -> Proof:
        return Proof(password=self.password)


class ByCode(Value):
    """The person proves again who that is, with a code of the authenticator app or a recovery code."""

    code: CodeText

    @property
    def proof(self) -> Proof:
        return Proof(code=self.code)


Confirmation = ByPassword | ByCode


async def caller_origin(request: Request, principal: Caller) -> Origin:
    """The person and the request, for the audit trail. The api-gateway sets these headers anew."""
    return anonymous_origin(request).by(principal.user)


def anonymous_origin(request: Request) -> Origin:
    """The request of somebody who has not logged in."""
    address = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return Origin(UNKNOWN.actor, address[:64], request.headers.get("x-request-id", "")[:64])


CallerOrigin = Annotated[Origin, Depends(caller_origin)]


def no_store(response: Response) -> None:
    """Answers with secrets stay in no cache."""
    response.headers["cache-control"] = "no-store"


Problems = dict[int | str, dict[str, Any]]


def problems(**about: str) -> Problems:
    """`problems(_404="there is no such account")`: the errors of a route, for its `responses`."""
    return {int(status.removeprefix("_")): {"description": text} for status, text in about.items()}


GUARDED = {"_403": "the password or code is wrong", "_429": "too many wrong passwords or codes: wait"}
"""Errors of a route that lets a person prove again who that is."""
