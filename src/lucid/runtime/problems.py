"""Errors as problem documents (RFC 9457), once for all services."""

import math
from http import HTTPStatus
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lucid.base.errors import LucidError

_log = structlog.get_logger()


def install_problem_handlers(api: Starlette) -> None:
    """Answer every error of `api` with a problem document. Call it before other middleware is added, which
    then sees the answer instead of the exception."""
    api.add_exception_handler(LucidError, _lucid_error)
    api.add_exception_handler(HTTPException, _http_exception)
    api.add_middleware(_UnexpectedErrors)


def problem_response(error: LucidError) -> JSONResponse:
    """`error` as an answer: `type` is `urn:lucid:error:SLUG`; `field` and `retry_after_s` when it has them."""
    problem: dict[str, Any] = {
        "type": f"urn:lucid:error:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    headers = {}
    if error.field is not None:
        problem["field"] = error.field
    if error.retry_after_s is not None:
        problem["retry_after_s"] = error.retry_after_s
        headers["Retry-After"] = str(max(0, math.ceil(error.retry_after_s)))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem, error.status, headers, media_type="application/problem+json")


async def _lucid_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LucidError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("request failed", path=request.url.path, error=error.slug, detail=error.detail)
    return problem_response(error)


async def _http_exception(_request: Request, error: Exception) -> JSONResponse:
    """An unknown path or method: a status without a class of ours (RFC 9457 section 4.2.1)."""
    assert isinstance(error, HTTPException)
    problem = {"type": "about:blank", "title": HTTPStatus(error.status_code).phrase, "status": error.status_code}
    return JSONResponse(problem, error.status_code, error.headers, media_type="application/problem+json")


class _UnexpectedErrors:
    """The outermost boundary of a request: logs a bug with its traceback and tells the caller nothing of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            _log.debug("client left", path=scope["path"])  # within its body: nobody is there to be answered
        except Exception:
            _log.exception("unexpected error", path=scope["path"])
            if started:
                raise  # half an answer is out: the connection has to break
            await problem_response(LucidError("an unexpected error; the service's log has it"))(scope, receive, send)
