"""Hosts that can be reached, the credentials the gateway uses there, and connection tickets."""

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.policy import Policy


class HostCredentials(Value):
    """What the gateway logs in with; users never see it."""

    username: str = Field(max_length=256)
    password: Secret
    domain: str = Field(default="", max_length=256)


class Host(Value):
    """A desktop host. `fingerprint` pins its TLS certificate (SHA-256, hex); empty: the first one seen is pinned."""

    name: Name
    address: str = Field(max_length=253, pattern=r"^[0-9A-Za-z._:%-]+$", description="DNS name or IP address")
    port: int = Field(default=3389, ge=1, le=65_535)
    fingerprint: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
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
