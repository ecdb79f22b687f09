"""Who may come in: limits on connections, and the ticket that a client shows."""

import asyncio
import time
from collections import Counter

from lucid.base.errors import LucidError, NotFound, Unauthenticated
from lucid.base.secret import Secret
from lucid.model.host import Grant
from lucid.ports.access import Tickets
from lucid.ports.stores import Bus
from lucid.services.rdp_controller.peer import Peer
from lucid.services.rdp_controller.refusal import Reason, Refused
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.x224 import (
    PROTOCOL_SSL,
    SSL_REQUIRED_BY_SERVER,
    ConnectionRequest,
    NegotiationFailure,
)

MAX_REQUEST_BYTES = 259
"""A connection request counts its length in one byte, up to 254; with that byte and the TPKT header, 259."""

_WINDOW_S = 60.0
_MAX_BLOCKED = 10_000


class Connections:
    """Counts the connections that stand, in all and by address."""

    def __init__(self, settings: RdpControllerSettings) -> None:
        self._settings = settings
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> None:
        """Raises Refused when a limit is reached."""
        if self._by_address.total() >= self._settings.max_connections:
            raise Refused(Reason.TOO_MANY_CONNECTIONS, f"limit of {self._settings.max_connections} in all")
        if self._by_address[address] >= self._settings.max_connections_per_address:
            limit = self._settings.max_connections_per_address
            raise Refused(Reason.TOO_MANY_CONNECTIONS, f"limit of {limit} for one address")
        self._by_address[address] += 1

    def leave(self, address: str) -> None:
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


async def read_request(client: Peer, *, timeout_s: float) -> ConnectionRequest:
    """The client's connection request, which must offer TLS. Raises Refused; a client that does not offer TLS
    is told that it must."""
    try:
        async with asyncio.timeout(timeout_s):
            request = ConnectionRequest.from_bytes(await client.read_pdu(limit=MAX_REQUEST_BYTES))
    except TimeoutError:
        raise Refused(Reason.HANDSHAKE_TIMEOUT, f"no connection request within {timeout_s:g} s") from None
    except ConnectionError:
        raise Refused(Reason.CLIENT_CLOSED, "before its connection request") from None
    except ProtocolError as error:
        raise Refused(Reason.PROTOCOL_ERROR, error.detail) from None
    if not request.requested_protocols & PROTOCOL_SSL:
        client.write(NegotiationFailure(SSL_REQUIRED_BY_SERVER).to_bytes())
        raise Refused(Reason.TLS_NOT_OFFERED, "the client must offer TLS security")
    return request


class TicketDesk:
    """Redeems tickets, and stops asking for an address that shows too many bad ones.

    Bad tickets are counted on the bus, so that several gateways share the count; each remembers by itself how
    long an address has to wait.
    """

    def __init__(self, tickets: Tickets, bus: Bus, settings: RdpControllerSettings) -> None:
        self._tickets = tickets
        self._bus = bus
        self._limit = settings.bad_tickets_per_minute
        self._blocked: dict[str, float] = {}

    async def redeem(self, request: ConnectionRequest, address: str) -> Grant:
        """What the ticket in `request` allows. Raises Refused."""
        if (wait_s := self._blocked.get(address, 0.0) - time.monotonic()) > 0:
            raise Refused(Reason.TOO_MANY_BAD_TICKETS, f"from this address; again in {wait_s:.0f} s")
        if request.token is None:
            raise Refused(Reason.NO_TICKET, "no ticket in the routing token or cookie")
        try:
            return await self._tickets.redeem(secret=Secret(request.token))
        except (Unauthenticated, NotFound) as error:
            await self._count_bad(address)
            raise Refused(Reason.BAD_TICKET, error.detail) from None
        except LucidError as error:
            raise Refused(Reason.UNAVAILABLE, error.detail) from None

    async def _count_bad(self, address: str) -> None:
        try:
            wait_s = await self._bus.hit(f"rdp-bad-ticket:{address}", limit=self._limit, window_s=_WINDOW_S)
        except LucidError as error:
            raise Refused(Reason.BAD_TICKET, f"and it was not counted: {error.detail}") from None
        if wait_s > 0:
            self._blocked.pop(address, None)
            self._blocked[address] = time.monotonic() + wait_s
            if len(self._blocked) > _MAX_BLOCKED:  # the longest known goes; the bus blocks it again if it comes back
                del self._blocked[next(iter(self._blocked))]
