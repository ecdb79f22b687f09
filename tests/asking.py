"""A client of one service's public API, as a given person (for tests of routes)."""

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.types import Receive, Scope, Send

from lucid.model.permission import ROLES, Role
from lucid.model.principal import Method, Principal
from lucid.ports.api import PRINCIPAL_KEY
from lucid.runtime.problems import install_problem_handlers
from lucid.runtime.public_api import validation_problem


def person(user: str = "ada", role: Role = "user", *, methods: tuple[Method, ...] = ("pwd",)) -> Principal:
    """Somebody with all permissions of the role."""
    return Principal(user=user, role=role, permissions=ROLES[role], methods=methods, token="t1", session="s1")


def asking(router: APIRouter, principal: Principal | None) -> httpx.AsyncClient:
    """A client whose requests the routes see as those of `principal`; None: of nobody."""
    api = FastAPI()
    install_problem_handlers(api)
    api.add_exception_handler(RequestValidationError, validation_problem)
    api.include_router(router)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await api({**scope, PRINCIPAL_KEY: principal}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
