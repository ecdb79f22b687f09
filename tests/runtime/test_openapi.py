"""A service's OpenAPI document says what a client needs, and a route that says too little is refused."""

from typing import Any

import pytest
from fastapi import APIRouter

from lucid.model.permission import Permission
from lucid.ports.api import PUBLIC, requires
from lucid.runtime.openapi import service_document
from tests import guards

BANK = guards.service("bank", api=("/api/v1/safe",))


def document_of(path: str, options: Any) -> dict[str, Any]:
    router = APIRouter()

    @router.get(path, **options)
    async def look(limit: int = 1) -> int:
        return limit

    return service_document(BANK, router)


def test_errors_are_problem_documents() -> None:
    document = document_of("/api/v1/safe/door", requires(Permission.HOSTS_READ))
    operation = document["paths"]["/api/v1/safe/door"]["get"]
    assert operation["x-permission"] == "hosts:read"
    assert set(operation["responses"]) == {"200", "400", "401", "403", "default"}
    for status, response in operation["responses"].items():
        if status != "200":
            assert list(response["content"]) == ["application/problem+json"]
    assert set(document["components"]["schemas"]) == {"Problem"}
    assert document["openapi"].startswith("3.1")


def test_a_public_route_needs_no_token() -> None:
    operation = document_of("/api/v1/safe", PUBLIC)["paths"]["/api/v1/safe"]["get"]
    assert operation["security"] == []
    assert "401" not in operation["responses"]


def test_a_route_without_a_permission_is_refused() -> None:
    with pytest.raises(ValueError, match="GET /api/v1/safe/door names no permission"):
        document_of("/api/v1/safe/door", {})


@pytest.mark.parametrize("path", ["/api/v1/other", "/api/v1/safer", "/safe"])
def test_a_route_outside_of_the_prefixes_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="outside of the prefixes"):
        document_of(path, requires(Permission.HOSTS_READ))
