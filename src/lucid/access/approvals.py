"""Just-in-time approval of connections by another person (port Approvals)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lucid.access.acts import Acts, Origin
from lucid.access.announcing import Announcer
from lucid.base.clock import Clock, shift_time
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from lucid.base.ids import new_session_id
from lucid.model.policy import Policy
from lucid.ports.access import Approval, ApprovalState, AuditEvent
from lucid.ports.stores import Documents, Json, Stored

APPROVALS = "approvals"
APPROVAL_TOPIC = "approval"
"""Topic of the bus: each event's body is an Approval."""

MOST_PENDING = 100
"""Requests of one person that wait."""

_OPEN = (ApprovalState.PENDING, ApprovalState.APPROVED)
_LONGEST_REASON = 500


@dataclass(frozen=True)
class ApprovalRules:
    """Times in seconds: how long a request waits for a decision, how long an approval may be used after it, and how
    long what has ended is shown."""

    wait_s: float = 1800.0
    use_s: float = 600.0
    keep_s: float = 30 * 86_400.0


class ApprovalDesk:
    """Approvals in documents. Each change replaces the version that was looked at, so an approval is decided once and
    used once. One that is over time is shown as expired; the sweep writes that down. The acts on an approval stand in
    its document (`owed`) until they are in the audit trail, whatever fails in between."""

    def __init__(
        self, rules: ApprovalRules, *, documents: Documents, announcer: Announcer, acts: Acts, clock: Clock
    ) -> None:
        self._rules = rules
        self._documents = documents
        self._announcer = announcer
        self._acts = acts
        self._clock = clock
        self._asking = asyncio.Lock()

    async def request(self, *, user: str, host: str, policy: Policy, reason: str) -> Approval:
        """As the port says. Raises InvalidInput for a reason that is too long, Conflict when too many wait. Two that
        are asked for at once of two replicas may both stay; each has to be decided."""
        if len(reason) > _LONGEST_REASON:
            raise InvalidInput(f"reason: expected at most {_LONGEST_REASON} characters", field="reason")
        async with self._asking:
            where: dict[str, str | int | bool | list[str]] = {"user": user, "state": ApprovalState.PENDING.value}
            found = await self._documents.find(APPROVALS, where, limit=MOST_PENDING)
            waiting = [approval for approval in map(self._seen, found) if approval.state is ApprovalState.PENDING]
            for approval in waiting:
                if (approval.host, approval.policy) == (host, policy):
                    return approval
            if len(waiting) >= MOST_PENDING:
                raise Conflict("too many requests wait for approval")
            return await self._insert(user, host, policy, reason)

    async def _insert(self, user: str, host: str, policy: Policy, reason: str) -> Approval:
        now = self._clock.now()
        approval = Approval(
            id=new_session_id(),
            user=user,
            host=host,
            policy=policy,
            reason=reason,
            requested=now,
            expires=shift_time(now, self._rules.wait_s),
        )
        body = approval.model_dump(mode="json") | self._owing(approval, "approval.requested", Origin(user))
        await self._tell(await self._documents.insert(APPROVALS, approval.id, body))
        return approval

    async def get(self, *, id: str) -> Approval:
        return self._seen(await self._find(id))

    async def decide(self, *, id: str, by: str, approve: bool, origin: Origin) -> Approval:
        """Approve or deny. Raises NotFound; Forbidden to the person who asks; Conflict when it is decided or over
        already."""

        def decision(approval: Approval) -> Approval:
            if approval.user == by:
                raise Forbidden("another person has to decide")
            if approval.state is not ApprovalState.PENDING:
                raise Conflict(f"the request is {approval.state.value} already")
            if not approve:
                return approval.model_copy(update={"decided_by": by, "state": ApprovalState.DENIED})
            until = shift_time(self._clock.now(), self._rules.use_s)
            changes = {"decided_by": by, "state": ApprovalState.APPROVED, "expires": until}
            return approval.model_copy(update=changes)

        return await self._change(id, decision, "approval.approved" if approve else "approval.denied", origin)

    async def use(self, *, id: str, user: str, host: str, policy: Policy) -> None:
        """As the port says."""

        def usage(approval: Approval) -> Approval:
            if (approval.user, approval.host, approval.policy) != (user, host, policy):
                raise Forbidden("the approval is for another connection")
            if approval.state is not ApprovalState.APPROVED:
                raise Forbidden(f"the request is {approval.state.value}")
            return approval.model_copy(update={"state": ApprovalState.USED})

        try:
            await self._change(id, usage, "approval.used", Origin(user))
        except NotFound:
            raise Forbidden("there is no such approval") from None

    async def page(
        self, *, user: str | None, state: ApprovalState | None, after: str | None, limit: int
    ) -> list[Approval]:
        """Approvals of a person, or of all, the newest first, behind the id `after`."""
        page: list[Approval] = []
        where: dict[str, str | int | bool | list[str]] = {"user": user} if user is not None else {}
        while len(page) < limit:
            found = await self._documents.find(APPROVALS, where, after=after, newest_first=True, limit=limit)
            if not found:
                break
            after = found[-1].id
            seen = map(self._seen, found)
            page += [approval for approval in seen if state is None or approval.state is state]
        return page[:limit]

    async def sweep(self) -> int:
        """Write down which are expired, remove what is long over, and return how many were removed."""
        limit = shift_time(self._clock.now(), -self._rules.keep_s)
        removed, after = 0, None
        while page := await self._documents.find(APPROVALS, after=after):
            after = page[-1].id
            for found in page:
                approval = self._seen(found)
                if found.body.get("owed"):
                    await self._settle(found)
                elif approval.expires < limit:
                    removed += await self._documents.delete(APPROVALS, found.id)
                elif approval.state.value != found.body["state"]:
                    await self._expire(found, approval)
        return removed

    async def _expire(self, found: Stored, approval: Approval) -> None:
        try:
            await self._replace(found, approval, {})
        except Conflict:
            return  # another replica did
        self._announcer.announce(APPROVAL_TOPIC, approval.model_dump(mode="json"))

    def _seen(self, found: Stored) -> Approval:
        """The approval as it is now."""
        approval = _approval(found)
        if approval.state in _OPEN and self._clock.now() >= approval.expires:
            return approval.model_copy(update={"state": ApprovalState.EXPIRED})
        return approval

    async def _find(self, id: str) -> Stored:
        try:
            return await self._documents.get(APPROVALS, id)
        except NotFound:
            raise NotFound("no such approval") from None

    async def _change(self, id: str, change: Callable[[Approval], Approval], act: str, origin: Origin) -> Approval:
        """Replace the approval by what `change` makes of it, which is asked again when another change came in
        between; what it raises is raised. Raises NotFound."""
        while True:
            found = await self._find(id)
            changed = change(self._seen(found))
            try:
                stored = await self._replace(found, changed, self._owing(changed, act, origin))
            except Conflict:
                continue
            await self._tell(stored)
            return changed

    async def _replace(self, found: Stored, approval: Approval, owing: Json) -> Stored:
        owed = [*found.body.get("owed", ()), *owing.get("owed", ())]
        body = approval.model_dump(mode="json") | {"owed": owed}
        return await self._documents.replace(APPROVALS, found.id, body, version=found.version)

    def _owing(self, approval: Approval, act: str, origin: Origin) -> Json:
        event = self._acts.event(
            act, origin, accountable=True, approval=approval.id, account=approval.user, host=approval.host
        )
        return {"owed": [event.model_dump(mode="json")]}

    async def _tell(self, stored: Stored) -> None:
        self._announcer.announce(APPROVAL_TOPIC, _approval(stored).model_dump(mode="json"))
        await self._settle(stored)

    async def _settle(self, stored: Stored) -> None:
        """Record what the approval owes, and strike that out. A crash in between records it again, under the same
        id."""
        for event in stored.body["owed"]:
            await self._acts.record(AuditEvent.model_validate(event))
        try:
            await self._documents.replace(APPROVALS, stored.id, stored.body | {"owed": []}, version=stored.version)
        except Conflict:
            return  # who has changed it since settles all of it


def _approval(found: Stored) -> Approval:
    return Approval.model_validate({name: value for name, value in found.body.items() if name != "owed"})
