"""Who may do what and connect where: accounts, tokens, audit, tickets, approvals, hosts, the gateway's own address."""

from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.host import Grant, Host, HostAccess, HostCredentials, Ticket
from lucid.model.permission import Role
from lucid.model.policy import Policy
from lucid.model.principal import Principal


class Tickets(Protocol):
    """Single-use connection tickets. Offered by lucid-auth-service."""

    async def issue(self, *, user: Name, host: Name, policy: Policy, ttl_s: int = 120) -> Ticket:
        """A fresh ticket, valid once within `ttl_s` seconds. Its secret is at most 60 ASCII characters."""
        ...

    async def redeem(self, *, secret: Secret) -> Grant:
        """Use the ticket up. Raises Unauthenticated when it is unknown, used or expired, or its user is locked
        out by now; the detail says which."""
        ...


class Account(Value):
    """A person who may use the platform. `second_factors` are those that are set up."""

    name: Name
    role: Role
    created: Time
    locked: bool = False
    second_factors: tuple[Literal["totp", "passkey"], ...] = ()


class Accounts(Protocol):
    """Accounts and passwords. Offered by lucid-auth-service."""

    async def authenticate(self, *, name: Name, password: Secret) -> Account:
        """Raises Unauthenticated, without saying whether name or password was wrong or the account is locked, and
        TooManyRequests after repeated failures for the name. A second factor is not asked for here."""
        ...

    async def create_administrator(self) -> Secret | None:
        """On the first call ever, create the account `admin` and return its password; None afterwards."""
        ...

    async def get(self, *, name: Name) -> Account:
        """Raises NotFound."""
        ...

    async def list(self, *, after: Name | None = None, limit: int = 100) -> list[Account]:
        """Accounts by name."""
        ...

    async def check_second_factor(self, *, name: Name, code: Secret) -> None:
        """A fresh TOTP or recovery code, each good once. Raises Unauthenticated, TooManyRequests."""
        ...


class AccountKeeping(Protocol):
    """What only the operator may do to accounts; administrators do it through the API. Offered by
    lucid-auth-service, needed by no service."""

    async def create(self, *, name: Name, role: Role) -> Secret:
        """Create an account and return its first password, which is random. Raises Conflict when the name is taken,
        or belonged to an account that was removed."""
        ...

    async def change(self, *, name: Name, role: Role | None = None, locked: bool | None = None) -> Account:
        """Change role or lock, which ends all logins. Raises NotFound, and Conflict when no administrator who can
        log in would be left."""
        ...

    async def remove(self, *, name: Name) -> None:
        """Remove the account and end all logins; its name is not given again. Raises NotFound, and Conflict as
        `change` does."""
        ...

    async def reset_password(self, *, name: Name) -> Secret:
        """A new random password, which ends all logins and removes the second factors. Raises
        NotFound."""
        ...


class Revocation(Value):
    """Access tokens that end before their time: those of a login, or of a user, made until `time`."""

    user: Name
    session: str = Field(default="", description="the login; empty: all of the user's")
    time: Time


class Tokens(Protocol):
    """What the api-gateway checks requests with. Offered by lucid-auth-service."""

    async def keys(self) -> dict[str, Any]:
        """The JWKS (RFC 7517) of the keys that an access token may be signed with: the current, the next, and those
        whose tokens have not all expired."""
        ...

    async def principal(self, *, token: Secret) -> Principal:
        """Who shows a personal API token. Raises Unauthenticated when it is unknown, revoked or expired."""
        ...

    async def revocations(self) -> list[Revocation]:
        """Those that still matter. New ones are also published on the bus under the topic `REVOKED`."""
        ...


REVOKED = "access.revoked"
"""Topic of the bus: each event's body is a Revocation."""


class Outcome(StrEnum):
    """How an act ended."""

    DONE = "done"
    DENIED = "denied"
    FAILED = "failed"


class AuditEvent(Value):
    """One act of a person or service. `act` is `thing.verb`, as in log entries (`account.created`); `subject` what it
    was done to, without secrets; `accountable` acts are anchored in the log as well."""

    id: str = Field(max_length=36, description="UUID version 7")
    time: Time
    actor: Name
    act: str = Field(pattern=r"^[a-z]+\.[a-z-]+$", max_length=40)
    subject: dict[str, str] = Field(default_factory=dict)
    outcome: Outcome = Outcome.DONE
    address: str = Field(default="", max_length=64, description="of the client, where it is known")
    request: str = Field(default="", max_length=64, description="request id")
    accountable: bool = False


class Audit(Protocol):
    """The audit trail. Offered by lucid-auth-service."""

    async def record(self, *, event: AuditEvent) -> None:
        """Durable when it returns; the same id again is no error. An accountable act is anchored in the background
        and repeated until the log has it."""
        ...

    async def events(
        self, *, after: str | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[AuditEvent]:
        """Events in the order of their ids, behind the id `after`."""
        ...


class ApprovalState(StrEnum):
    """Forward only, from pending to one of the others, and from approved to used."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    USED = "used"


class Approval(Value):
    """A request to connect that another person decides."""

    id: str = Field(max_length=36, description="UUID version 7")
    user: Name
    host: Name
    policy: Policy
    reason: str = Field(default="", max_length=500)
    state: ApprovalState = ApprovalState.PENDING
    requested: Time
    expires: Time
    decided_by: Name | None = None


class Approvals(Protocol):
    """Just-in-time approval of connections. Offered by lucid-auth-service, whose API people decide with."""

    async def request(self, *, user: Name, host: Name, policy: Policy, reason: str) -> Approval:
        """Ask for approval. The same pending request again returns the first."""
        ...

    async def get(self, *, id: str) -> Approval:
        """Raises NotFound."""
        ...

    async def use(self, *, id: str, user: Name, host: Name, policy: Policy) -> None:
        """Use an approval up, once. Raises Forbidden unless it is approved, unexpired, unused and for exactly this."""
        ...


class Hosts(Protocol):
    """Registered desktop hosts and their sealed credentials. Offered by rdp-server-manager. `actor` is who does it, for
    the log; None: the operator."""

    async def add(self, *, host: Host, credentials: HostCredentials, actor: Name | None = None) -> Host:
        """Raises Conflict when the name exists."""
        ...

    async def list(self) -> list[Host]: ...

    async def get(self, *, name: Name) -> Host:
        """Raises NotFound."""
        ...

    async def remove(self, *, name: Name, actor: Name | None = None) -> None:
        """Raises NotFound, and Conflict for the host of a desktop, which goes with the desktop."""
        ...

    async def change_access(
        self, *, name: Name, access: HostAccess, pool: Name | None = None, actor: Name | None = None
    ) -> Host:
        """Say anew who may connect, and the pool. Raises NotFound."""
        ...

    async def change_credentials(self, *, name: Name, credentials: HostCredentials, actor: Name | None = None) -> None:
        """Log in otherwise from now on. Raises NotFound, and Conflict for the host of a desktop."""
        ...

    async def assign(self, *, pool: Name, user: Name | None = None, role: Role | None = None) -> Host:
        """The host of the pool on which the fewest sessions run, of those to which this person may connect (nobody:
        of all). Who asks at once is spread; an assignment counts as a session until one begins, or for a while.
        Raises NotFound when there is none."""
        ...

    async def credentials(self, *, host: Host) -> HostCredentials:
        """For those that log in there: the gateway, which connects to `host` as `get` gave it, and rdp-monitor. Raises
        NotFound, and Corrupted when they were sealed for another address or certificate than those of `host`."""
        ...

    async def pin(self, *, name: Name, fingerprint: str) -> Host:
        """Pin the certificate of a host that has no fingerprint yet. Raises Conflict when another is pinned."""
        ...


class GatewayEndpoint(Value):
    """Where RDP clients connect, and the SHA-256 (hex) of the certificate they will see."""

    address: str
    port: int
    fingerprint: str


class DoorEndpoint(Value):
    """Where clients reach the API, and the SHA-256 (hex) of the certificate that they will see; empty without TLS."""

    url: str
    fingerprint: str = ""


class Door(Protocol):
    """The public HTTP door. Offered by api-gateway."""

    async def endpoint(self) -> DoorEndpoint: ...

    async def document(self) -> dict[str, Any]:
        """The OpenAPI document of all services that have been seen."""
        ...


class LiveSession(Value):
    """A session that is being relayed now. Rates in bytes since it began; times in seconds."""

    session: SessionId
    user: Name
    host: Name
    client_bytes: int
    host_bytes: int
    idle_s: float
    elapsed_s: float
    client_rtt_ms: float | None = Field(default=None, description="round trip to the client, as TCP measures it")
    host_rtt_ms: float | None = Field(default=None, description="round trip to the host, as TCP measures it")
    client: str = Field(description="address of the client")


class Gateway(Protocol):
    """The RDP gateway. Offered by rdp-controller."""

    async def endpoint(self) -> GatewayEndpoint: ...

    async def live(self) -> list[LiveSession]: ...

    async def terminate(self, *, session: SessionId) -> None:
        """End a running session. Raises NotFound."""
        ...
