"""The OpenAPI document is true: schemathesis asks the real door what the document allows and what it forbids, and a
client that a stock generator makes of it works."""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from lucid.runtime.platform import Platform
from tests.flow.test_api_permissions import DOCUMENT, login
from tests.flow.test_api_permissions import client as client  # a fixture
from tests.flow.test_api_permissions import platform as platform  # a fixture

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
"""Not `positive_data_acceptance`: some rules stand between fields (a host or a pool, a cursor of the same query), which
a schema does not say; they answer 400."""

APART = ("endLogin", "changeAccount", "removeAccount")
"""Asked without the operations from which one learns what there is: with these they would end the login that all
requests are made with."""

LAST = ("logOut", "endAllLogins")
"""These end it whatever they are asked with: each is asked with a login of its own."""

SEED = int(os.environ.get("LUCID_TEST_API_SEED", "1"))
FUZZING_S = int(os.environ.get("LUCID_TEST_API_FUZZING_S", "0"))
"""Seconds of random requests; without, the requests are those that follow from the document alone."""

pytestmark = pytest.mark.timeout(300 + 2 * FUZZING_S)

CONFIGURATION = """\
[checks.negative_data_rejection]
# Besides the statuses that it knows: a request may be too large before anything else can be wrong with it.
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 426, 429, 431]
"""
GENERATOR = Path(sys.prefix) / "generator" / "bin" / "openapi-python-client"
"""In a virtual environment of its own: it needs an older typer than Lucid does."""


async def run(*arguments: str | Path, **environment: str) -> str:
    """What the program wrote. It has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )
    try:
        written = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, written[-20_000:]
    return written


async def schemathesis(folder: Path, url: str, *arguments: str, token: str = "") -> str:
    """With one worker: CPython 3.11 may not parse in several threads at once (python/cpython#106905)."""
    configuration = CONFIGURATION
    if token:  # by the environment: everybody on the machine may read a command line
        configuration = f'headers = {{ Authorization = "Bearer ${{SHOWN_TOKEN}}" }}\n{configuration}'
    file = folder / "schemathesis.toml"
    file.write_text(configuration)
    return await run(
        Path(sys.prefix) / "bin" / "schemathesis",
        *("--config-file", file, "--no-color", "run", url + DOCUMENT),
        *("--checks", ",".join(CHECKS), "--seed", str(SEED)),
        *("--generation-database", "none", "--warnings", "off", "--request-timeout", "30", "--continue-on-failure"),
        *arguments,
        SHOWN_TOKEN=token,
    )


async def administrator(platform: Platform, client: httpx.AsyncClient) -> str:
    assert platform.administrator_password is not None
    return await login(client, "admin", platform.administrator_password.reveal())


def each(option: str, names: Sequence[str]) -> list[str]:
    return [argument for name in names for argument in (option, name)]


async def test_what_the_document_says_holds(platform: Platform, client: httpx.AsyncClient, tmp_path: Path) -> None:
    url = str(client.base_url).rstrip("/")
    phases = ["--phases", "examples,coverage"]
    if FUZZING_S:
        phases = ["--phases", "examples,coverage,fuzzing", "--max-time", str(FUZZING_S), "--max-examples", "30"]
    token = await administrator(platform, client)
    rest = each("--exclude-operation-id", (*APART, *LAST))
    for chosen in (rest, each("--include-operation-id", APART)):
        assert "No issues found" in await schemathesis(tmp_path, url, *chosen, *phases, token=token)
        still = await client.get("/api/v1/account", headers={"Authorization": f"Bearer {token}"})
        assert still.status_code == 200, "not all of this was asked as an administrator"
    for name in LAST:
        own = await administrator(platform, client)
        only = each("--include-operation-id", (name,))
        assert "No issues found" in await schemathesis(tmp_path, url, *only, "--phases", "coverage", token=own)


async def test_what_the_document_says_holds_for_strangers(client: httpx.AsyncClient, tmp_path: Path) -> None:
    url = str(client.base_url).rstrip("/")
    assert "No issues found" in await schemathesis(tmp_path, url, "--phases", "examples")


async def test_every_request_body_has_examples(client: httpx.AsyncClient) -> None:
    document = (await client.get(DOCUMENT)).json()
    bodies = {
        operation["operationId"]: content["schema"]
        for item in document["paths"].values()
        for operation in item.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    }
    assert len(bodies) > 20
    bare = {name: list(without_example(document, schema)) for name, schema in bodies.items()}
    assert not {name: fields for name, fields in bare.items() if fields}


def without_example(document: Mapping[str, Any], schema: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """The fields of which a reader cannot tell what they look like: they have no example, and no default, name no
    values, and are not made of fields that have."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if {"examples", "default", "enum", "const"} & schema.keys() or schema.get("type") in ("boolean", "null"):
        return
    parts: Sequence[Mapping[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or ()
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    if not parts and not properties:
        yield where
    for part in parts:
        yield from without_example(document, part, where)
    for name, field in properties.items():
        yield from without_example(document, field, f"{where}.{name}")


@pytest.fixture
async def generated(client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package that the generator makes of the document, without a warning."""
    assert GENERATOR.exists(), f"{GENERATOR} is missing: scripts/setup venv dev"
    document, settings = tmp_path / "openapi.json", tmp_path / "generator.json"
    document.write_bytes((await client.get(DOCUMENT)).content)
    settings.write_text(json.dumps({"content_type_overrides": {"application/x-tar": "application/octet-stream"}}))
    await run(
        *(GENERATOR, "generate", "--path", document, "--output-path", tmp_path / "lucid_generated_client"),
        *("--config", settings, "--meta", "none", "--fail-on-warning"),
        PATH=f"{GENERATOR.parent}:{os.environ['PATH']}",  # it calls its ruff
    )
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("lucid_generated_client")


async def test_a_generated_client_works(platform: Platform, client: httpx.AsyncClient, generated: ModuleType) -> None:
    def part(name: str) -> Any:
        return importlib.import_module(f"{generated.__name__}.{name}")

    assert platform.administrator_password is not None
    url = str(client.base_url).rstrip("/")
    body = part("models").PasswordLogin(name="admin", password=platform.administrator_password.reveal())
    async with generated.Client(base_url=url, httpx_args={"trust_env": False}) as stranger:
        tokens = await part("api.lucid_auth_service.log_in").asyncio(client=stranger, body=body)
    authenticated = generated.AuthenticatedClient(
        base_url=url, token=tokens.access_token, httpx_args={"trust_env": False}
    )
    async with authenticated as admin:
        page = await part("api.session_api.list_sessions").asyncio(client=admin, limit=10)
        assert (type(page).__name__, page.items, page.total) == ("SessionPage", [], 0)
        hosts = await part("api.rdp_server_manager.list_hosts").asyncio(client=admin)
        assert (type(hosts).__name__, hosts.items) == ("HostPage", [])
        absent = await part("api.session_api.get_session").asyncio(
            id="019a9c3e-6b1c-7000-8000-000000000001", client=admin
        )
        assert (type(absent).__name__, absent.status) == ("Problem", 404)
