"""Who may connect where: tickets, accounts, hosts, and the gateway's own address."""

from typing import Protocol

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.host import Grant, Host, HostCredentials, Ticket
from lucid.model.policy import Policy


class Tickets(Protocol):
    """Single-use connection tickets. Offered by lucid-auth-service."""

    async def issue(self, *, user: Name, host: Name, policy: Policy, ttl_s: int = 120) -> Ticket:
        """A fresh ticket, valid once within `ttl_s` seconds. Its secret is at most 60 ASCII characters."""
        ...

    async def redeem(self, *, secret: Secret) -> Grant:
        """Use the ticket up. Raises Unauthenticated when it is unknown, used or expired; the detail says which."""
        ...


class Account(Value):
    """A person who may use the platform."""

    name: Name
    role: str
    created: Time


class Accounts(Protocol):
    """Accounts and passwords. Offered by lucid-auth-service."""

    async def authenticate(self, *, name: Name, password: Secret) -> Account:
        """Raises Unauthenticated, without saying whether name or password was wrong, and TooManyRequests after
        repeated failures for the name."""
        ...

    async def create_administrator(self) -> Secret | None:
        """On the first call ever, create the account `admin` and return its password; None afterwards."""
        ...


class Hosts(Protocol):
    """Registered desktop hosts and their sealed credentials. Offered by rdp-server-manager."""

    async def add(self, *, host: Host, credentials: HostCredentials) -> Host:
        """Raises Conflict when the name exists."""
        ...

    async def list(self) -> list[Host]: ...

    async def get(self, *, name: Name) -> Host:
        """Raises NotFound."""
        ...

    async def remove(self, *, name: Name) -> None:
        """Raises NotFound."""
        ...

    async def credentials(self, *, host: Host) -> HostCredentials:
        """For the gateway alone, which connects to `host` as `get` gave it. Raises NotFound, and Corrupted when they
        were sealed for another address or certificate than those of `host`."""
        ...

    async def pin(self, *, name: Name, fingerprint: str) -> Host:
        """Pin the certificate of a host that has no fingerprint yet. Raises Conflict when another is pinned."""
        ...


class GatewayEndpoint(Value):
    """Where RDP clients connect, and the SHA-256 (hex) of the certificate they will see."""

    address: str
    port: int
    fingerprint: str


class LiveSession(Value):
    """A session that is being relayed now. Rates in bytes since it began; times in seconds."""

    session: SessionId
    user: Name
    host: Name
    client_bytes: int
    host_bytes: int
    idle_s: float
    elapsed_s: float
    client: str = Field(description="address of the client")


class Gateway(Protocol):
    """The RDP gateway. Offered by rdp-controller."""

    async def endpoint(self) -> GatewayEndpoint: ...

    async def live(self) -> list[LiveSession]: ...

    async def terminate(self, *, session: SessionId) -> None:
        """End a running session. Raises NotFound."""
        ...
