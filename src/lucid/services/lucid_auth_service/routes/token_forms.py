"""Answers and parameters that have to do with tokens."""

from typing import Annotated, Literal

from fastapi import Header
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from lucid.access.refresh import IssuedTokens
from lucid.base.secret import Secret
from lucid.base.value import Value

LONGEST_TOKEN = 200


def _token(secret: Secret) -> Secret:
    if not 1 <= len(secret.reveal()) <= LONGEST_TOKEN:
        raise ValueError(f"expected 1 to {LONGEST_TOKEN} characters")
    return secret


TokenText = Annotated[
    Secret,
    AfterValidator(_token),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_TOKEN,
            "format": "password",
            "examples": ["Zk3Jx0b1vT9sQm5cR7uYwA2dE4fG6hI8"],
        }
    ),
]
"""A secret that this service gave out before."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[0-9a-f-]+$")]
"""What a list called a thing."""

UserAgent = Annotated[str, Header(alias="user-agent", max_length=1000, include_in_schema=False)]


class Tokens(Value):
    """What a client shows (RFC 6750) and how it gets the next: keep the refresh token safe, it is good once."""

    access_token: str = Field(repr=False, description="JWT for the header `Authorization: Bearer …`")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="seconds until the access token ends", examples=[900])
    refresh_token: str = Field(repr=False, description="for the next tokens; each is good once")
    refresh_expires_in: int = Field(description="seconds until the login ends if it is not used", examples=[604800])


def tokens_of(issued: IssuedTokens) -> Tokens:
    """The answer with what was issued."""
    return Tokens(
        access_token=issued.access.reveal(),
        expires_in=issued.access_life_s,
        refresh_token=issued.refresh.reveal(),
        refresh_expires_in=issued.refresh_life_s,
    )


def device_of(agent: str, label: str | None) -> str:
    """What a login's device is called: as the person says, or as the program says of itself."""
    text = label or agent
    return "".join(character for character in text if character.isprintable())[:120]
