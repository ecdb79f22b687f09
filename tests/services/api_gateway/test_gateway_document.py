"""The services' documents: what becomes a route, and how they become one document."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from lucid.base.errors import NotFound, Unavailable
from lucid.model.permission import Permission
from lucid.services.api_gateway.document import merged, operations_of
from lucid.services.api_gateway.errors import MethodNotAllowed
from lucid.services.api_gateway.routing import Operation, Routes
from tests.services.api_gateway.gateway_kit import document

READ = {"x-permission": "hosts:read"}


def of(service: str, schemas: dict[str, Any], *operations: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return {**document(*operations), "components": {"schemas": schemas}}


def refers(name: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {
        **READ,
        "requestBody": {"content": {"application/json": {"schema": schema, "examples": {"a": {"value": 1}}}}},
    }


def schema_of(whole: dict[str, Any], path: str) -> dict[str, Any]:
    """What the body of `path` is, its reference followed."""
    content = whole["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    found: dict[str, Any] = whole["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    return found


def test_equal_schemas_stay_one_and_different_ones_are_kept_apart() -> None:
    problem, text, number = {"type": "object"}, {"type": "string"}, {"type": "integer"}
    whole = merged(
        {
            "one-service": of("one", {"Problem": problem, "Thing": text}, ("post", "/api/v1/one", refers("Thing"))),
            "two": of("two", {"Problem": problem, "Thing": number}, ("post", "/api/v1/two", refers("Thing"))),
        }
    )
    assert set(whole["components"]["schemas"]) == {"Problem", "OneServiceThing", "TwoThing"}
    assert schema_of(whole, "/api/v1/one") == text
    assert schema_of(whole, "/api/v1/two") == number


def test_a_schema_kept_apart_is_titled_as_it_is_named() -> None:
    """Generators call its class by its title."""
    whole = merged(
        {
            name: of(name, {"Thing": {"title": "Thing", "const": name}}, ("post", f"/{name}", refers("Thing")))
            for name in ("one", "two")
        }
    )
    assert {name: schema["title"] for name, schema in whole["components"]["schemas"].items()} == {
        "OneThing": "OneThing",
        "TwoThing": "TwoThing",
    }


def test_schemas_that_only_look_equal_are_kept_apart() -> None:
    box = {"properties": {"thing": {"$ref": "#/components/schemas/Thing"}}}
    shelf = {"items": {"$ref": "#/components/schemas/Box"}}
    whole = merged(
        {
            name: of(
                name, {"Shelf": shelf, "Box": box, "Thing": {"const": name}}, ("post", f"/{name}", refers("Shelf"))
            )
            for name in ("one", "two")
        }
    )
    for name in ("one", "two"):
        assert schema_of(whole, f"/{name}")["items"]["$ref"] == f"#/components/schemas/{name.title()}Box"
        box = whole["components"]["schemas"][f"{name.title()}Box"]
        assert box["properties"]["thing"]["$ref"] == f"#/components/schemas/{name.title()}Thing"


def test_the_targets_of_a_discriminator_follow() -> None:
    pet = {"discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat"}}}
    whole = merged({name: of(name, {"Cat": {"const": name}, name: pet}) for name in ("one", "two")})
    assert whole["components"]["schemas"]["one"]["discriminator"]["mapping"]["cat"] == "#/components/schemas/OneCat"


def test_operation_ids_are_unique_and_examples_stay() -> None:
    documents = {name: document(("post", f"/api/v1/{name}", refers("X"))) for name in ("one", "two")}
    for each in documents.values():
        for item in each["paths"].values():
            item["post"]["operationId"] = "make"
    whole = merged(documents)
    ids = [item["post"]["operationId"] for path, item in whole["paths"].items() if "openapi" not in path]
    assert ids == ["make", "TwoMake"]
    assert '"examples": {"a": {"value": 1}}' in json.dumps(whole)
    assert documents["one"]["paths"]["/api/v1/one"]["post"]["operationId"] == "make", "the original was changed"
    assert set(whole["components"]["securitySchemes"]) == {"accessToken", "apiToken"}
    assert whole["openapi"] == "3.1.0"


def test_only_what_names_a_permission_below_the_prefixes_is_an_operation() -> None:
    doc = document(
        ("get", "/api/v1/a", READ),
        ("get", "/api/v1/a/{id}/b", {"x-permission": "public"}),
        ("get", "/api/v1/ab", READ),
        ("get", "/api/v1/a/none", {}),
        ("get", "/api/v1/a/odd", {"x-permission": ["hosts:read"]}),
        ("get", "/api/v1/a/socket", {**READ, "x-websocket": True}),
    )
    with capture_logs() as logs:
        found = operations_of("a", ("/api/v1/a",), doc)
    assert [(each.path, each.permission, each.websocket) for each in found] == [
        ("/api/v1/a", Permission.HOSTS_READ, False),
        ("/api/v1/a/{id}/b", None, False),
        ("/api/v1/a/socket", Permission.HOSTS_READ, True),
    ]
    assert [log["log_level"] for log in logs] == ["error"] * 3


def operation(method: str, path: str, service: str = "s") -> Operation:
    return Operation(service, method, path, None)


ROUTES = Routes(
    [
        operation("GET", "/api/v1/s"),
        operation("GET", "/api/v1/s/search"),
        operation("GET", "/api/v1/s/{id}"),
        operation("DELETE", "/api/v1/s/{id}"),
        operation("POST", "/api/v1/s/search"),
        operation("GET", "/api/v1/s/{id}.json"),
        operation("GET", "/api/v1/s/{a}/t/{b}"),
    ],
    expected={"s": ("/api/v1/s",), "later": ("/api/v1/later",)},
    published={"/log/key": ("log", "/key"), "/log/tile/": ("log", "/tile/")},
)


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/api/v1/s", "/api/v1/s"),
        ("GET", "/api/v1/s/search", "/api/v1/s/search"),
        ("DELETE", "/api/v1/s/search", "/api/v1/s/{id}"),
        ("GET", "/api/v1/s/7", "/api/v1/s/{id}"),
        ("GET", "/api/v1/s/a\nb", "/api/v1/s/{id}"),
        ("GET", "/api/v1/s/x/t/y", "/api/v1/s/{a}/t/{b}"),
    ],
)
def test_a_path_is_the_first_operation_that_it_fits(method: str, path: str, template: str) -> None:
    match = ROUTES.match(method, path, path)
    assert (match.operation.path, match.target) == (template, path)


@pytest.mark.parametrize(
    "path", ["", "/", "/api/v1/s/", "/api/v1/sx", "/api/v1/s//t/y", "/api/v1/s/x/t/", "/api/v1/s/..", "/api/v1/s/./t/x"]
)
def test_other_paths_are_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        ROUTES.match("GET", path, path)


def test_other_methods_are_told_which_there_are() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTES.match("PUT", "/api/v1/s/search", "/api/v1/s/search")
    assert caught.value.allow == "DELETE, GET, POST"
    assert ROUTES.methods("/api/v1/s/7") == {"GET", "DELETE"}


def test_a_service_not_seen_yet_is_unavailable_below_its_prefixes() -> None:
    for path in ("/api/v1/later", "/api/v1/later/x"):
        with pytest.raises(Unavailable):
            ROUTES.match("GET", path, path)
    with pytest.raises(NotFound):
        ROUTES.match("GET", "/api/v1/laterx", "/api/v1/laterx")


def test_published_paths_lead_to_the_services_own() -> None:
    match = ROUTES.match("GET", "/log/tile/0/x/7", "/log/tile/0/x/7")
    assert (match.target, match.operation.service, match.operation.cacheable) == ("/tile/0/x/7", "log", True)
    assert ROUTES.match("GET", "/log/key", "/log/key").target == "/key"
    for path in ("/log/key/", "/log/tile/", "/log/tile", "/log/rpc/x"):
        with pytest.raises(NotFound):
            ROUTES.match("GET", path, path)
    with pytest.raises(NotFound):
        ROUTES.match("GET", "/log/tile/../rpc", "/log/tile/%2e%2e/rpc")
