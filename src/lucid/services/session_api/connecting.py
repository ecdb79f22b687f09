"""A person's way to a desktop: may they, under which policy, does somebody have to agree; then a ticket."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StrictInt, WithJsonSchema

from lucid.access.acts import Acts, Origin
from lucid.base.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.host import Host, Ticket
from lucid.model.policy import Policy
from lucid.model.principal import Principal
from lucid.ports.access import (
    Accounts,
    Approval,
    Approvals,
    ApprovalState,
    Gateway,
    GatewayEndpoint,
    Hosts,
    Tickets,
)

_LONGEST_CODE = 64


def _check_code(code: Secret) -> Secret:
    if not 1 <= len(code.reveal()) <= _LONGEST_CODE:
        raise ValueError(f"expected 1 to {_LONGEST_CODE} characters")
    return code


Code = Annotated[
    Secret,
    AfterValidator(_check_code),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LONGEST_CODE, "examples": ["492039"]}),
]


class Wishes(Value):
    """The policy that is asked for. What is left out is denied; a limit that is left out is the host's."""

    clipboard: StrictBool = False
    drive: StrictBool = False
    audio: StrictBool = False
    printer: StrictBool = False
    usb: StrictBool = False
    playback: StrictBool = Field(default=False, description="let the platform play the recording, not only its owner")
    index_typed_text: StrictBool = Field(
        default=False, description="make what is typed searchable, outside of the encrypted recording"
    )
    idle_limit_s: StrictInt | None = Field(default=None, ge=1, le=86_400, description="seconds", examples=[1800])
    total_limit_s: StrictInt | None = Field(default=None, ge=1, le=604_800, description="seconds", examples=[28_800])


class NewSession(Value):
    """Where to connect, a host or a pool, and how. `approval` is the id of an approval that was asked for before."""

    host: Name | None = Field(default=None, examples=["office"])
    pool: Name | None = Field(default=None, examples=[None])
    policy: Wishes = Wishes()
    reason: str = Field(default="", max_length=500, pattern=r"^[^\x00]*$", examples=["monthly maintenance"])
    second_factor: Code | None = Field(default=None, description="fresh, where the host asks for one")
    approval: str | None = Field(default=None, max_length=36, pattern=r"^[0-9a-f-]+$", examples=[None])


@dataclass(frozen=True)
class Granted:
    """A ticket, and the policy that it was given under."""

    ticket: Ticket
    policy: Policy
    endpoint: GatewayEndpoint


class Connector:
    """Checks what the host asks of a person (HostAccess) and gives a ticket."""

    def __init__(
        self,
        *,
        hosts: Hosts,
        accounts: Accounts,
        approvals: Approvals,
        tickets: Tickets,
        gateway: Gateway,
        acts: Acts,
        ttl_s: int,
    ) -> None:
        self._hosts = hosts
        self._accounts = accounts
        self._approvals = approvals
        self._tickets = tickets
        self._gateway = gateway
        self._acts = acts
        self._ttl_s = ttl_s

    async def connect(self, wanted: NewSession, principal: Principal, origin: Origin) -> Granted | Approval:
        """A ticket, or the approval that has to be waited for. Raises NotFound for a host that the person may not
        know of, Forbidden when more is asked for than allowed or a factor or approval is missing."""
        approval = await self._approval(wanted, principal)
        host = await self._host(wanted, principal, approval)
        policy = policy_within(wanted.policy, host.access.policy)
        if host.access.approval and approval is None:
            return await self._approvals.request(
                user=principal.user, host=host.name, policy=policy, reason=wanted.reason
            )
        if approval is not None and approval.state is ApprovalState.PENDING:
            return approval
        endpoint = await self._gateway.endpoint()  # before anything is used up that is good once
        if host.access.second_factor:
            await self._check_second_factor(wanted.second_factor, principal)
        if host.access.approval and approval is not None:
            await self._approvals.use(id=approval.id, user=principal.user, host=host.name, policy=policy)
        ticket = await self._tickets.issue(user=principal.user, host=host.name, policy=policy, ttl_s=self._ttl_s)
        await self._acts.done(
            "connection.granted", origin, host=host.name, policy=policy.digest(), reason=wanted.reason
        )
        return Granted(ticket, policy, endpoint)

    async def _approval(self, wanted: NewSession, principal: Principal) -> Approval | None:
        if wanted.approval is None:
            return None
        found = await self._approvals.get(id=wanted.approval)
        if found.user != principal.user:
            raise NotFound(f"no approval {wanted.approval}")
        return found

    async def _host(self, wanted: NewSession, principal: Principal, approval: Approval | None) -> Host:
        if (wanted.host is None) == (wanted.pool is None):
            raise InvalidInput("host, pool: expected exactly one of the two", field="host")
        if wanted.host is None and approval is None:
            assert wanted.pool is not None
            return await self._hosts.assign(pool=wanted.pool, user=principal.user, role=principal.role)
        # Of a pool, the approval is for the host that was assigned when it was asked for.
        name = wanted.host or (approval.host if approval is not None else "")
        try:
            host = await self._hosts.get(name=name)
        except NotFound:
            raise NotFound(f"no host {name}") from None
        if not host.access.admits(principal.user, principal.role) or wanted.pool not in (None, host.pool):
            raise NotFound(f"no host {name}")
        return host

    async def _check_second_factor(self, code: Secret | None, principal: Principal) -> None:
        if code is None:
            raise Forbidden("this host asks for a fresh second factor with each session", field="second_factor")
        try:
            await self._accounts.check_second_factor(name=principal.user, code=code)
        except Unauthenticated:
            # 401 would say that the request's token is not valid.
            raise Forbidden("the second factor is not valid", field="second_factor") from None


def policy_within(wishes: Wishes, allowed: Policy) -> Policy:
    """The policy that the wishes amount to. Raises Forbidden that names the first wish beyond what is allowed."""
    for name, field in Policy.model_fields.items():
        if field.annotation is bool and getattr(wishes, name) and not getattr(allowed, name):
            raise Forbidden(f"policy.{name}: this host does not allow it", field=f"policy.{name}")
    limits = {}
    for name in ("idle_limit_s", "total_limit_s"):
        most: int = getattr(allowed, name)
        wish: int | None = getattr(wishes, name)
        if wish is not None and wish > most:
            raise Forbidden(f"policy.{name}: this host allows {most} s at most", field=f"policy.{name}")
        limits[name] = most if wish is None else wish
    return Policy(**wishes.model_dump(exclude=set(limits)), **limits)
