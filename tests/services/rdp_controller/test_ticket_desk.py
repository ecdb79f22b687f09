"""The ticket desk remembers barred addresses, not more of them than it has room for."""

import pytest

from lucid.base.secret import Secret
from lucid.model.host import Grant
from lucid.services.rdp_controller import admission
from lucid.services.rdp_controller.admission import TicketDesk
from lucid.services.rdp_controller.refusal import Reason, Refused
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.wire.rdp.x224 import PROTOCOL_SSL, ConnectionRequest
from tests.services.rdp_controller.gateway_fakes import FakeTickets

REQUEST = ConnectionRequest(b"lucid=forged", PROTOCOL_SSL, 0)


class AskedTickets(FakeTickets):
    asked = 0

    async def redeem(self, *, secret: Secret) -> Grant:
        self.asked += 1
        return await super().redeem(secret=secret)


class StrictBus:
    """Every hit is one too many."""

    async def hit(self, key: str, *, limit: int, window_s: float) -> float:
        return window_s


async def test_of_too_many_barred_addresses_the_longest_known_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_MAX_BLOCKED", 3)
    tickets = AskedTickets()
    desk = TicketDesk(tickets, StrictBus(), RdpControllerSettings())  # type: ignore[arg-type]

    async def refusal(address: str) -> Reason:
        with pytest.raises(Refused) as refused:
            await desk.redeem(REQUEST, address)
        return refused.value.reason

    addresses = [f"192.0.2.{number}" for number in range(5)]
    assert [await refusal(address) for address in addresses] == [Reason.BAD_TICKET] * 5
    assert [await refusal(address) for address in addresses[2:]] == [Reason.TOO_MANY_BAD_TICKETS] * 3
    assert tickets.asked == 5
    assert await refusal(addresses[0]) == Reason.BAD_TICKET
    assert await refusal(addresses[2]) == Reason.BAD_TICKET
