"""Hosts that can be reached, the credentials the gateway uses there, and connection tickets."""

from pydantic import Field, StrictBool

from lucid.base.clock import Time
from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.permission import Role
from lucid.model.policy import Policy


class HostCredentials(Value):
    """What the gateway logs in with; users never see it."""

    username: str = Field(max_length=256)
    password: Secret
    domain: str = Field(default="", max_length=256)


class HostAccess(Value):
    """Who may connect to a host through the API, and how: the named users and the holders of the roles, each with at
    most what `policy` allows; `approval`: another person has to agree to each session; `second_factor`: a fresh one
    has to be shown for each session. The operator of the installation stands above it."""

    users: tuple[Name, ...] = Field(default=(), examples=[["ada"]])
    roles: tuple[Role, ...] = Field(default=("admin",), examples=[["admin", "user"]])
    policy: Policy = Policy()
    approval: StrictBool = False
    second_factor: StrictBool = False

    def admits(self, user: Name, role: Role | None) -> bool:
        """Whether this person may connect, with whatever else is asked of them."""
        return user in self.users or role in self.roles


class Host(Value):
    """A desktop host. `fingerprint` pins its TLS certificate (SHA-256, hex); empty: the first one seen is pinned.
    `pool` names the group whose least loaded host is taken by who asks for the pool."""

    name: Name
    address: str = Field(max_length=253, pattern=r"^[0-9A-Za-z._:%-]+$", description="DNS name or IP address")
    port: int = Field(default=3389, ge=1, le=65_535)
    fingerprint: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    access: HostAccess = HostAccess()
    pool: Name | None = None
    added: Time


class Ticket(Value):
    """A single-use right to connect, as its owner receives it. `secret` goes into the RDP cookie or routing token."""

    secret: Secret
    user: Name
    host: Name
    expires: Time


class Grant(Value):
    """What a redeemed ticket allows: this user, this host, this policy."""

    user: Name
    host: Name
    policy: Policy
