"""The public API of session-api, a module for each topic."""

from fastapi import APIRouter

from lucid.services.session_api.routes.files import file_routes
from lucid.services.session_api.routes.keeping import keeping_routes
from lucid.services.session_api.routes.search import search_routes
from lucid.services.session_api.routes.sessions import session_routes
from lucid.services.session_api.service import SessionApi


def api_routes(service: SessionApi) -> APIRouter:
    """All of them."""
    router = APIRouter()
    for routes in (session_routes, file_routes, keeping_routes, search_routes):
        router.include_router(routes(service))
    return router
