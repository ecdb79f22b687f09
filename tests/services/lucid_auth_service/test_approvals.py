"""Approvals: asked for once, decided by another person, used once, in time."""

import asyncio
from typing import Any

import pytest

from lucid.access.acts import Origin
from lucid.access.approvals import APPROVAL_TOPIC
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from lucid.model.policy import Policy
from lucid.ports.access import Approval, ApprovalState, AuditEvent
from lucid.services.lucid_auth_service.routes.approvals import approval_routes
from lucid.services.lucid_auth_service.service import AuthService
from tests.asking import asking, person
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, Trail, TurnedClock
from tests.services.lucid_auth_service.conftest import Make

POLICY = Policy(clipboard=True)
USE: dict[str, Any] = {"user": "ada", "host": "desk", "policy": POLICY}


async def asked(service: AuthService, **changes: str) -> Approval:
    values = {"user": "ada", "host": "desk", "reason": "printer is broken"} | changes
    return await service.approvals.request(policy=POLICY, **values)


async def decided(service: AuthService, approval: Approval, *, approve: bool = True, by: str = "root") -> Approval:
    return await service.approvals.decide(id=approval.id, by=by, approve=approve, origin=Origin(by))


async def refusal(service: AuthService, approval: Approval, **changes: object) -> str:
    with pytest.raises(Forbidden) as refused:
        await service.approvals.use(id=approval.id, **(USE | changes))
    return refused.value.detail


async def test_an_approval_is_used_once(whole: AuthService, bus: MemoryBus) -> None:
    await whole.start()
    approval = await asked(whole)
    assert approval.state is ApprovalState.PENDING
    assert "pending" in await refusal(whole, approval)
    assert (await decided(whole, approval)).decided_by == "root"
    await whole.approvals.use(id=approval.id, **USE)
    assert "used" in await refusal(whole, approval)
    assert (await whole.approvals.get(id=approval.id)).state is ApprovalState.USED
    acts = {(event.act, event.actor, event.accountable) for event in await whole.trail.events()}
    assert acts == {
        ("approval.requested", "ada", True),
        ("approval.approved", "root", True),
        ("approval.used", "ada", True),
    }
    told = await bus.wait_for(APPROVAL_TOPIC, 3)
    assert [body["state"] for body in told] == ["pending", "approved", "used"]
    await whole.stop()


async def test_of_uses_at_once_one_succeeds(whole: AuthService, make: Make) -> None:
    twin = make()
    for _ in range(5):
        approval = await asked(whole)
        await decided(whole, approval)
        uses = [service.approvals.use(id=approval.id, **USE) for service in (whole, twin) * 3]
        outcomes = await asyncio.gather(*uses, return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Forbidden) for outcome in outcomes) == 5


async def test_of_decisions_at_once_one_counts(whole: AuthService, make: Make) -> None:
    twin = make()
    approval = await asked(whole)
    decisions = [decided(service, approval, approve=yes) for service, yes in ((whole, True), (twin, False)) * 2]
    outcomes = await asyncio.gather(*decisions, return_exceptions=True)
    assert sum(isinstance(outcome, Approval) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 3


async def test_the_same_request_again_is_the_first(whole: AuthService) -> None:
    first, again = await asyncio.gather(asked(whole), asked(whole, reason="again"))
    assert first == again
    assert (await asked(whole, host="other")).id != first.id
    assert (await asked(whole, user="eve")).id != first.id
    await decided(whole, first, approve=False)
    assert (await asked(whole)).id != first.id


async def test_an_approval_is_for_exactly_what_was_asked(whole: AuthService) -> None:
    approval = await asked(whole)
    await decided(whole, approval)
    for changes in ({"user": "eve"}, {"host": "other"}, {"policy": Policy(clipboard=True, drive=True)}):
        assert "another connection" in await refusal(whole, approval, **changes)
    with pytest.raises(Forbidden):
        await whole.approvals.use(id="nothing", **USE)


async def test_a_request_and_an_approval_expire(whole: AuthService, clock: TurnedClock) -> None:
    late, unused = await asked(whole), await asked(whole, host="other")
    clock.turn(SETTINGS.approval_wait_s - 1)
    await decided(whole, unused)
    clock.turn(1)
    with pytest.raises(Conflict, match="expired"):
        await decided(whole, late)
    assert (await asked(whole)).id != late.id
    clock.turn(SETTINGS.approval_use_s)
    assert "expired" in await refusal(whole, unused, host="other")
    await whole.sweep()
    assert (await whole.approvals.get(id=unused.id)).state is ApprovalState.EXPIRED
    clock.turn(SETTINGS.keep_ended_s + 1)
    await whole.sweep()
    with pytest.raises(NotFound):
        await whole.approvals.get(id=unused.id)


async def test_an_act_reaches_the_trail_though_that_was_away(
    make: Make, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(audit=trail)
    approval = await asked(service)

    async def away(*, event: AuditEvent) -> None:
        raise Unavailable("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(trail, "record", away)
        with pytest.raises(Unavailable):
            await decided(service, approval)
        with pytest.raises(Unavailable):
            await service.approvals.use(id=approval.id, **USE)
    assert trail.acts == ["approval.requested"]
    await service.sweep()
    assert trail.acts == ["approval.requested", "approval.approved", "approval.used"]
    await service.sweep()
    assert len(trail.acts) == 3


async def test_too_much_is_refused(whole: AuthService, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput):
        await asked(whole, reason="x" * 501)
    monkeypatch.setattr("lucid.access.approvals.MOST_PENDING", 2)
    for host in ("a", "b"):
        await asked(whole, host=host)
    with pytest.raises(Conflict):
        await asked(whole, host="c")


async def test_people_see_their_own_and_others_decide(whole: AuthService, clock: TurnedClock) -> None:
    mine, roots = await asked(whole), await asked(whole, user="root")
    router = approval_routes(whole.approvals)
    async with asking(router, person("ada")) as ada, asking(router, person("root", "admin")) as root:
        assert [item["id"] for item in (await ada.get("/api/v1/approvals")).json()["items"]] == [mine.id]
        assert (await ada.get(f"/api/v1/approvals/{roots.id}")).status_code == 404
        assert (await ada.get(f"/api/v1/approvals/{mine.id}")).json()["reason"] == "printer is broken"
        assert (await ada.post(f"/api/v1/approvals/{roots.id}/decision", json={"approve": True})).status_code == 403
        page = (await root.get("/api/v1/approvals", params={"limit": 1})).json()
        assert [item["id"] for item in page["items"]] == [roots.id]
        rest = (await root.get("/api/v1/approvals", params={"limit": 1, "after": page["next"]})).json()
        assert [item["id"] for item in rest["items"]] == [mine.id]
        assert (await root.post(f"/api/v1/approvals/{roots.id}/decision", json={"approve": True})).status_code == 403
        done = await root.post(f"/api/v1/approvals/{mine.id}/decision", json={"approve": False})
        assert (done.status_code, done.json()["state"], done.json()["decided_by"]) == (200, "denied", "root")
        again = await root.post(f"/api/v1/approvals/{mine.id}/decision", json={"approve": True})
        assert again.status_code == 409
        pending = (await root.get("/api/v1/approvals?state=pending")).json()["items"]
        assert [item["id"] for item in pending] == [roots.id]
        unknown = "019ac1f0-5b7a-7cc3-98c4-dc0c0c07398f"
        assert (await root.get(f"/api/v1/approvals/{unknown}")).status_code == 404
        for query in ("limit=0", "after=x", "state=x", "more=1"):
            assert (await root.get(f"/api/v1/approvals?{query}")).status_code == 400
