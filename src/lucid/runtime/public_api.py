"""A service's part of the public API, by FastAPI: apart from host.py, so that services without any do not load it."""

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from lucid.base.errors import InvalidInput
from lucid.catalog.types import Service
from lucid.runtime.auth import ServiceGuard
from lucid.runtime.openapi import service_document
from lucid.runtime.problems import problem_response


def public_api(service: Service, router: APIRouter, guard: ServiceGuard) -> FastAPI:
    """An application of the service's part of the public API, with its document. Raises ValueError for a route that
    names no permission."""
    api = FastAPI(title=service.name, description=service.summary, docs_url=None, redoc_url=None, openapi_url=None)
    api.add_exception_handler(RequestValidationError, validation_problem)
    document = service_document(service, router)
    api.include_router(router, dependencies=[Depends(guard.api)])

    @api.get("/openapi.json", dependencies=[Depends(guard.service)])
    async def openapi() -> JSONResponse:
        return JSONResponse(document)

    return api


async def validation_problem(_request: Request, error: Exception) -> JSONResponse:
    """What FastAPI refuses by itself, as a problem document."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return problem_response(InvalidInput(f"{field}: {first['msg']}", field=field))
