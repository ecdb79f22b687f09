"""The public API of hosts, pools, desktops and quotas: who sees and may what."""

import asyncio

import pytest

from lucid.catalog.services import SERVICES
from lucid.runtime.openapi import service_document
from lucid.services.rdp_server_manager.routes import api_routes
from tests.asking import asking, person
from tests.services.rdp_server_manager.manager_kit import Kit

HOST = {
    "name": "office",
    "address": "192.0.2.7",
    "access": {"users": ["ada"], "roles": [], "approval": True},
    "pool": "pcs",
    "credentials": {"username": "desk", "password": "hunter2-in-the-safe"},
}


async def test_a_host_is_shown_to_those_who_may_connect(kit: Kit) -> None:
    routes = api_routes(kit.manager)
    async with asking(routes, person("root", "admin")) as root:
        made = await root.post("/api/v1/hosts", json=HOST)
        assert made.status_code == 201
        assert "hunter2" not in made.text
        assert made.json()["address"] == "192.0.2.7"
        assert (await root.post("/api/v1/hosts", json=HOST)).status_code == 409
    async with asking(routes, person("ada")) as ada:
        (shown,) = (await ada.get("/api/v1/hosts")).json()["items"]
        assert (shown["name"], shown["approval"], shown["address"], shown["access"]) == ("office", True, None, None)
        assert (await ada.get("/api/v1/pools")).json()["items"] == [
            {"name": "pcs", "hosts": [{"name": "office", "sessions": 0}]}
        ]
        assert (await ada.post("/api/v1/hosts", json=HOST)).status_code == 403
    async with asking(routes, person("bob")) as bob:
        assert (await bob.get("/api/v1/hosts")).json() == {"items": [], "next": None}
        assert (await bob.get("/api/v1/hosts/office")).status_code == 404
        assert (await bob.get("/api/v1/pools")).json()["items"] == []
    assert kit.anchored.taken == [("host.added", {"host": "office", "actor": "root"})]
    assert kit.trail.acts() == [("host.added", "root")]


async def test_a_host_is_changed_and_removed(kit: Kit) -> None:
    async with asking(api_routes(kit.manager), person("root", "admin")) as root:
        await root.post("/api/v1/hosts", json=HOST)
        changed = await root.patch("/api/v1/hosts/office", json={"access": {"users": ["bob"], "roles": ["user"]}})
        assert (changed.json()["access"]["users"], changed.json()["pool"]) == (["bob"], "pcs")
        assert (await root.patch("/api/v1/hosts/office", json={"pool": None})).json()["pool"] is None
        replaced = await root.put("/api/v1/hosts/office/credentials", json={"username": "new", "password": "p2"})
        assert replaced.status_code == 204
        host = await kit.manager.hosts.get(name="office")
        assert (await kit.manager.hosts.credentials(host=host)).username == "new"
        assert (await root.delete("/api/v1/hosts/office")).status_code == 204
        assert (await root.get("/api/v1/hosts/office")).status_code == 404


async def test_two_changes_at_once_do_not_undo_each_other(kit: Kit) -> None:
    async with asking(api_routes(kit.manager), person("root", "admin")) as root:
        await root.post("/api/v1/hosts", json=HOST)
        changes = [{"access": {"users": [], "roles": ["admin"]}}, {"pool": "other"}]
        await asyncio.gather(*(root.patch("/api/v1/hosts/office", json=change) for change in changes))
        host = (await root.get("/api/v1/hosts/office")).json()
        assert (host["access"]["users"], host["pool"]) == ([], "other")
        unchanged = await root.patch("/api/v1/hosts/office", json={"access": None})
        assert (unchanged.json()["access"], unchanged.json()["pool"]) == (host["access"], "other")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Office"},
        {"address": ""},
        {"address": "a b"},
        {"port": 0},
        {"fingerprint": "xyz"},
        {"credentials": {"username": "u\0", "password": "p"}},
        {"credentials": {"username": "u", "password": ""}},
        {"access": {"roles": ["king"]}},
        {"more": 1},
    ],
)
async def test_a_wrong_host_is_bad_input(kit: Kit, wrong: dict[str, object]) -> None:
    async with asking(api_routes(kit.manager), person("root", "admin")) as root:
        answer = await root.post("/api/v1/hosts", json=HOST | wrong)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert "hunter2" not in answer.text


async def test_pages_follow_each_other(kit: Kit) -> None:
    async with asking(api_routes(kit.manager), person("root", "admin")) as root:
        for name in ("a", "b", "c"):
            await root.post("/api/v1/hosts", json=HOST | {"name": name, "pool": name})
        for path in ("hosts", "pools"):
            first = (await root.get(f"/api/v1/{path}", params={"limit": 2})).json()
            rest = (await root.get(f"/api/v1/{path}", params={"limit": 2, "after": first["next"]})).json()
            assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
            assert rest["next"] is None


async def test_one_s_own_desktops_and_everybody_s(kit: Kit) -> None:
    routes = api_routes(kit.manager)
    async with asking(routes, person("ada")) as ada:
        made = await ada.post("/api/v1/desktops", json={"name": "ada-1"})
        assert (made.status_code, made.json()["state"], made.json()["owner"]) == (201, "stopped", "ada")
        assert (await ada.post("/api/v1/desktops", json={"name": "x", "owner": "bob"})).status_code == 403
        for act in ("stop", "reset"):
            assert (await ada.post(f"/api/v1/desktops/ada-1/{act}")).status_code == 200
    async with asking(routes, person("bob")) as bob:
        assert (await bob.get("/api/v1/desktops")).json()["items"] == []
        assert (await bob.get("/api/v1/desktops", params={"owner": "ada"})).json()["items"] == []
        assert (await bob.get("/api/v1/desktops/ada-1")).status_code == 404
        assert (await bob.post("/api/v1/desktops/ada-1/reset")).status_code == 404
        assert (await bob.delete("/api/v1/desktops/ada-1")).status_code == 404
        assert (await bob.get("/api/v1/desktop-quotas/ada")).status_code == 404
    async with asking(routes, person("root", "admin")) as root:
        assert len((await root.get("/api/v1/desktops")).json()["items"]) == 1
        assert (await root.delete("/api/v1/desktops/ada-1")).status_code == 204
    async with asking(routes, person("eve", "auditor")) as eve:
        assert (await eve.get("/api/v1/desktops")).status_code == 403


async def test_a_quota_over_the_api(kit: Kit) -> None:
    routes = api_routes(kit.manager)
    async with asking(routes, person("root", "admin")) as root:
        assert (await root.put("/api/v1/desktop-quotas/ada", json={"limit": 1})).json() == {
            "owner": "ada",
            "limit": 1,
            "own": True,
        }
        assert (await root.put("/api/v1/desktop-quotas/ada", json={"limit": -1})).status_code == 400
    async with asking(routes, person("ada")) as ada:
        assert (await ada.get("/api/v1/desktop-quotas/ada")).json()["limit"] == 1
        assert (await ada.put("/api/v1/desktop-quotas/ada", json={"limit": 9})).status_code == 403
        await ada.post("/api/v1/desktops", json={"name": "ada-1"})
        over = await ada.post("/api/v1/desktops", json={"name": "ada-2"})
        assert (over.status_code, over.json()["detail"]) == (403, "ada may have 1 desktop, and has as many")


async def test_without_a_built_in_host_it_is_unavailable(kit: Kit) -> None:
    kit.xrdp.available = False
    async with asking(api_routes(kit.manager), person("ada")) as ada:
        answer = await ada.post("/api/v1/desktops", json={"name": "ada-1"})
        assert (answer.status_code, "xrdp is not installed" in answer.json()["detail"]) == (503, True)


def test_every_route_is_described(kit: Kit) -> None:
    service = next(service for service in SERVICES if service.name == "rdp-server-manager")
    document = service_document(service, api_routes(kit.manager))
    operations = [method["operationId"] for path in document["paths"].values() for method in path.values()]
    assert len(operations) == len(set(operations)) == 15
    assert "password" not in document["components"]["schemas"]["HostView"]["properties"]
