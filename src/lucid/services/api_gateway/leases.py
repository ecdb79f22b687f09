"""Hits that this gateway has counted in Redis ahead of the requests that will make them.

Who asks often is counted ahead, twice as many each time, so that not every request costs a round trip. What is counted
is counted before it is used: gateways together never allow more than the limit. What is not used in time is lost to the
client; that is little, and only of who had much left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lucid.base.clock import Clock
from lucid.ports.stores import Allowance, Hit

LEASE_S = 5.0
"""Who has asked for nothing more within this time does not ask often. Also how long hits counted ahead may be used: one
that uses its limit up evenly, window 60 s, takes 3.75 s for a lease of the largest share."""

MOST = 64
SHARE = 16
"""At most so many, and at most this part of what is left, is counted ahead: small limits are counted one by one."""

_REMEMBERED = 10_000


@dataclass(slots=True)
class _Lease:
    """`asked` hits were to be counted ahead, `spare` of them are there. `left` and `whole` (a monotonic time) are as
    Redis told them."""

    asked: int
    spare: int
    left: int
    whole: float
    until: float


class Leases:
    """What is counted ahead, by limit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leases: dict[str, _Lease] = {}

    def use(self, hits: Sequence[Hit]) -> list[Allowance] | None:
        """Make hits that were counted ahead. None, and none is made, unless they all were."""
        now = self._clock.monotonic()
        found = [lease for hit in hits if (lease := self._valid(hit, now)) is not None and lease.spare]
        if len(found) != len(hits):
            return None
        for lease in found:
            lease.spare -= 1
        return [Allowance(lease.left + lease.spare, 0.0, max(0.0, lease.whole - now)) for lease in found]

    def wanted(self, hit: Hit) -> int:
        """How many to count ahead when this hit is counted now."""
        lease = self._valid(hit, self._clock.monotonic())
        if lease is None or lease.spare:
            return 0
        return min(max(1, 2 * lease.asked), MOST, lease.left // SHARE)

    def keep(self, hit: Hit, counted: Allowance) -> Allowance:
        """Remember what Redis answered to a hit; returns it as the client is told, who may use what is spare."""
        now = self._clock.monotonic()
        if counted.wait_s:
            self._leases.pop(hit.key, None)
            return counted
        lease = self._valid(hit, now)
        if lease is None or not lease.spare:
            self._forget(now)
            lease = self._leases[hit.key] = _Lease(hit.spare, 0, 0, 0.0, now + LEASE_S)
        lease.spare += counted.spare
        lease.left, lease.whole = counted.left, now + counted.whole_s
        return Allowance(lease.left + lease.spare, 0.0, counted.whole_s)

    def _valid(self, hit: Hit, now: float) -> _Lease | None:
        lease = self._leases.get(hit.key)
        return lease if lease is not None and now < lease.until else None

    def _forget(self, now: float) -> None:
        if len(self._leases) < _REMEMBERED:
            return
        self._leases = {key: lease for key, lease in self._leases.items() if now < lease.until}
        if len(self._leases) >= _REMEMBERED:
            self._leases.clear()
