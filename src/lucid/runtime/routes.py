"""A service's own routes, by FastAPI: apart from host.py, so that services without any do not load it."""

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from lucid.base.errors import InvalidInput
from lucid.catalog.types import Service
from lucid.ports.service import App
from lucid.runtime.auth import ServiceGuard
from lucid.runtime.openapi import service_document
from lucid.runtime.problems import problem_response


def with_routes(service: Service, app: App, guard: ServiceGuard) -> FastAPI:
    """An application of the service's part of the public API, with its document, and of its further routes. Raises
    ValueError for a route that names no permission."""
    api = FastAPI(title=service.name, description=service.summary, docs_url=None, redoc_url=None, openapi_url=None)
    api.add_exception_handler(RequestValidationError, validation_problem)
    if app.api is not None:
        document = service_document(service, app.api)
        api.include_router(app.api, dependencies=[Depends(guard.api)])

        @api.get("/openapi.json", dependencies=[Depends(guard.service)])
        async def openapi() -> JSONResponse:
            return JSONResponse(document)

    if app.routes is not None:
        api.include_router(app.routes, dependencies=[] if service.public_routes else [Depends(guard.service)])
    return api


async def validation_problem(_request: Request, error: Exception) -> JSONResponse:
    """What FastAPI refuses by itself, as a problem document."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return problem_response(InvalidInput(f"{field}: {first['msg']}", field=field))
