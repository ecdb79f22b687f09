"""The public API of rdp-server-manager, a module for each topic."""

from fastapi import APIRouter

from lucid.services.rdp_server_manager.routes.desktops import desktop_routes, quota_routes
from lucid.services.rdp_server_manager.routes.hosts import host_routes
from lucid.services.rdp_server_manager.routes.pools import pool_routes
from lucid.services.rdp_server_manager.service import ServerManager


def api_routes(manager: ServerManager) -> APIRouter:
    """All of them."""
    router = APIRouter()
    for routes in (host_routes, pool_routes, desktop_routes, quota_routes):
        router.include_router(routes(manager))
    return router
