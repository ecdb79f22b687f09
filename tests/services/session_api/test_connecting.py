"""POST /api/v1/sessions: what a host asks of a person before there is a ticket."""

from typing import Any

import pytest

from lucid.base.errors import Forbidden
from lucid.model.host import Host, HostAccess
from lucid.model.policy import Policy
from lucid.model.principal import Principal
from lucid.ports.access import ApprovalState
from lucid.services.session_api.connecting import Wishes, policy_within
from lucid.services.session_api.routes import api_routes
from lucid.services.session_api.service import SessionApi
from tests.asking import asking, person
from tests.services.session_api.session_kit import TIME, World

PATH = "/api/v1/sessions"


async def post(service: SessionApi, principal: Principal | None = None, **body: Any) -> tuple[int, dict[str, Any]]:
    async with asking(api_routes(service), principal or person()) as http:
        answer = await http.post(PATH, json=body)
        return answer.status_code, answer.json()


def add_host(world: World, name: str = "office", pool: str | None = None, **access: Any) -> None:
    allowed = HostAccess(**{"roles": ("user",), "policy": Policy(clipboard=True, idle_limit_s=600), **access})
    world.hosts[name] = Host(name=name, address="192.0.2.9", access=allowed, pool=pool, added=TIME)


async def test_a_ticket_under_the_policy_that_was_asked_for(service: SessionApi, world: World) -> None:
    add_host(world)
    status, body = await post(service, host="office", policy={"clipboard": True, "total_limit_s": 60})
    assert (status, body["ticket"], body["host"]) == (201, "ticket", "office")
    assert body["policy"] == Policy(clipboard=True, idle_limit_s=600, total_limit_s=60).model_dump()
    assert "redirectclipboard:i:1\r\n" in body["rdp"]
    assert [event.act for event in world.audit] == ["connection.granted"]
    assert "ticket" not in world.audit[0].model_dump_json()


@pytest.mark.parametrize(
    ("policy", "field"),
    [({"drive": True}, "drive"), ({"playback": True}, "playback"), ({"idle_limit_s": 601}, "idle_limit_s")],
)
async def test_nobody_gets_more_than_the_host_allows(
    service: SessionApi, world: World, policy: dict[str, Any], field: str
) -> None:
    add_host(world)
    status, body = await post(service, host="office", policy=policy)
    assert (status, body["field"]) == (403, f"policy.{field}")


@pytest.mark.parametrize("access", [{"roles": ()}, {"roles": ("admin",)}, {"roles": (), "users": ("bob",)}])
async def test_a_host_that_is_not_for_somebody_is_unknown_to_them(
    service: SessionApi, world: World, access: dict[str, Any]
) -> None:
    add_host(world, pool="pcs", **access)
    assert (await post(service, host="office"))[0] == 404
    assert (await post(service, host="nonesuch"))[0] == 404
    assert (await post(service, pool="pcs"))[0] == 404


async def test_of_a_pool_a_host_is_assigned(service: SessionApi, world: World) -> None:
    add_host(world, "one", pool="pcs")
    assert (await post(service, pool="pcs"))[1]["host"] == "one"
    assert (await post(service))[0] == 400
    assert (await post(service, host="one", pool="pcs"))[0] == 400


async def test_a_second_factor_is_asked_for_with_each_session(service: SessionApi, world: World) -> None:
    add_host(world, second_factor=True)
    for code in (None, "000000"):
        status, body = await post(service, host="office", second_factor=code)
        assert (status, body["field"]) == (403, "second_factor")
    assert (await post(service, host="office", second_factor="123456"))[0] == 201


async def test_another_person_has_to_agree(service: SessionApi, world: World) -> None:
    add_host(world, pool="pcs", approval=True, second_factor=True)
    status, body = await post(service, pool="pcs", reason="maintenance")
    assert (status, body["approval"]["state"], body["approval"]["reason"]) == (202, "pending", "maintenance")
    approval = body["approval"]["id"]
    assert (await post(service, pool="pcs", approval=approval))[0] == 202
    assert (await post(service, person("bob"), pool="pcs", approval=approval))[0] == 404
    world.approvals[approval] = world.approvals[approval].model_copy(update={"state": ApprovalState.APPROVED})
    assert (await post(service, host="office", policy={"clipboard": True}, approval=approval, second_factor="123456"))[
        0
    ] == 403
    # A wrong code does not use the approval up.
    assert (await post(service, pool="pcs", approval=approval, second_factor="0"))[0] == 403
    # Neither does a gateway that is away.
    world.broken = {"Gateway.endpoint"}
    assert (await post(service, pool="pcs", approval=approval, second_factor="123456"))[0] == 503
    world.broken = set()
    assert (await post(service, pool="pcs", approval=approval, second_factor="123456"))[0] == 201
    assert (await post(service, pool="pcs", approval=approval, second_factor="123456"))[0] == 403


@pytest.mark.parametrize(
    "body",
    [
        {"host": "Office"},
        {"host": "a\x00b"},
        {"host": "office", "policy": {"webcam": True}},
        {"host": "office", "policy": {"idle_limit_s": 10**30}},
        {"host": "office", "reason": "\x00"},
        {"host": "office", "reason": "x" * 501},
        {"host": "office", "second_factor": ""},
        {"host": "office", "second_factor": "1" * 65},
        {"host": "office", "approval": "../x"},
        {"host": "office", "unknown": 1},
    ],
)
async def test_bad_input_is_refused(service: SessionApi, world: World, body: dict[str, Any]) -> None:
    add_host(world)
    assert (await post(service, **body))[0] == 400


async def test_who_may_not_connect_is_refused(service: SessionApi, world: World) -> None:
    add_host(world, roles=("auditor",))
    assert (await post(service, person("eve", "auditor"), host="office"))[0] == 403


@pytest.mark.parametrize("name", [name for name, field in Policy.model_fields.items() if field.annotation is bool])
def test_every_switch_of_a_policy_can_be_asked_for_and_is_bounded(name: str) -> None:
    wished = Wishes.model_validate({name: True})
    with pytest.raises(Forbidden, match=f"policy.{name}: this host does not allow it"):
        policy_within(wished, Policy())
    assert getattr(policy_within(wished, Policy.model_validate({name: True})), name)
