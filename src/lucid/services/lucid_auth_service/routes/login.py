"""/api/v1/login: from a password or passkey to tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from lucid.access.acts import Origin
from lucid.access.factors.relying_party import AuthenticationResponse
from lucid.access.refresh import Logins
from lucid.access.sign_in import SignedIn, SignIn
from lucid.base.clock import Clock
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.ports.api import API_PREFIX, PUBLIC
from lucid.services.lucid_auth_service.routes.forms import (
    CodeText,
    Label,
    PasswordText,
    anonymous_origin,
    no_store,
    problems,
)
from lucid.services.lucid_auth_service.routes.token_forms import Tokens, TokenText, UserAgent, device_of, tokens_of

REFUSED = {"_401": "that was wrong, or took too long", "_429": "too many failed attempts: wait"}

Anonymous = Annotated[Origin, Depends(anonymous_origin)]
Device = Annotated[
    Label | None,
    Field(description="what the login is listed as; without it, what the program says", examples=["Laptop"]),
]


class PasswordLogin(Value):
    """Name and password."""

    name: Name = Field(examples=["ada"])
    password: PasswordText
    device: Device = None


class CodeLogin(Value):
    """The second step of a login: a code of the authenticator app, or a recovery code."""

    pending: TokenText
    code: CodeText
    device: Device = None


class PasskeyQuestion(Value):
    """Which login is to be finished; none: a login by passkey alone."""

    pending: TokenText | None = None


class PasskeyLogin(Value):
    """What the browser made of the options, as `PublicKeyCredential.toJSON()` gives it."""

    pending: TokenText | None = None
    response: AuthenticationResponse
    device: Device = None


class RefreshRequest(Value):
    """The refresh token that came with the last tokens."""

    refresh_token: TokenText


class PendingLogin(Value):
    """The password was right; one of `factors` is asked for as well."""

    pending: str = Field(repr=False, description="names this login in the next step; good for some minutes")
    factors: tuple[str, ...] = Field(examples=[["totp", "passkey", "recovery"]])


class PasskeyOptions(Value):
    """For `PublicKeyCredential.parseRequestOptionsFromJSON`."""

    options: dict[str, Any]


def login_routes(sign_in: SignIn, logins: Logins, clock: Clock) -> APIRouter:
    """Routes for people who have no token yet, or whose access token has ended."""
    router = APIRouter(prefix=f"{API_PREFIX}/login", tags=["login"], dependencies=[Depends(no_store)])

    async def opened(who: SignedIn, began: str, device: str | None, agent: str, origin: Origin) -> Tokens:
        return tokens_of(await logins.open(who, began=began, device=device_of(agent, device), origin=origin))

    @router.post(
        "",
        summary="Log in with name and password",
        operation_id="logIn",
        response_model=Tokens | PendingLogin,
        responses={
            200: {"model": Tokens, "description": "Logged in"},
            202: {"model": PendingLogin, "description": "A second factor is asked for"},
            **problems(**REFUSED),
        },
        **PUBLIC,
    )
    async def log_in(
        login: PasswordLogin, response: Response, origin: Anonymous, agent: UserAgent = ""
    ) -> Tokens | PendingLogin:
        """Answers with tokens, or with 202 and the second factors to choose from."""
        began = clock.now()
        step = await sign_in.begin(login.name, login.password, origin=origin)
        if step.complete is not None:
            return await opened(step.complete, began, login.device, agent, origin)
        assert step.pending is not None
        response.status_code = 202
        return PendingLogin(pending=step.pending.reveal(), factors=step.factors)

    @router.post(
        "/code",
        summary="Finish a login with a code",
        operation_id="logInWithCode",
        responses=problems(**REFUSED),
        **PUBLIC,
    )
    async def log_in_with_code(login: CodeLogin, origin: Anonymous, agent: UserAgent = "") -> Tokens:
        """A wrong code leaves the login pending; each code is good once."""
        began = clock.now()
        who = await sign_in.with_code(login.pending, login.code, origin=origin)
        return await opened(who, began, login.device, agent, origin)

    @router.post(
        "/passkey/options",
        summary="Ask for a passkey's challenge",
        operation_id="getPasskeyLoginOptions",
        responses=problems(_401="the login that began is over"),
        **PUBLIC,
    )
    async def get_passkey_login_options(question: PasskeyQuestion) -> PasskeyOptions:
        """For a login that waits for its second factor, or without `pending` for one by passkey alone."""
        return PasskeyOptions(options=await sign_in.passkey_options(question.pending))

    @router.post(
        "/passkey",
        summary="Log in with a passkey",
        operation_id="logInWithPasskey",
        responses=problems(**REFUSED),
        **PUBLIC,
    )
    async def log_in_with_passkey(login: PasskeyLogin, origin: Anonymous, agent: UserAgent = "") -> Tokens:
        """Answers a challenge of `/login/passkey/options`, once."""
        began = clock.now()
        who = await sign_in.with_passkey(login.pending, login.response.model_dump(), origin=origin)
        return await opened(who, began, login.device, agent, origin)

    @router.post(
        "/refresh",
        summary="Get the next tokens",
        operation_id="refreshTokens",
        responses=problems(_401="the refresh token is wrong, was used before, or its login has ended"),
        **PUBLIC,
    )
    async def refresh_tokens(request: RefreshRequest, origin: Anonymous) -> Tokens:
        """The refresh token is used up. A token that is shown again later ends its login: somebody has a copy."""
        return tokens_of(await logins.refresh(request.refresh_token, origin=origin))

    return router
