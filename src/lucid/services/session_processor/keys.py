"""Data keys in memory, for as long as their session is likely to need them."""

import asyncio
from collections import OrderedDict

from lucid.base.clock import Clock
from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.model.manifest import WrappedKey

MAX_KEYS = 256
KEEP_S = 60.0


class DataKeys:
    """Unwraps data keys and keeps each for a minute."""

    def __init__(self, identity: Secret, clock: Clock) -> None:
        self._identity = identity
        self._recipient = age.recipient_of(identity)
        self._clock = clock
        self._keys: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def unwrap(self, key: WrappedKey) -> bytes:
        """The data key. Raises Unavailable when it is wrapped to another identity, which is a mistake of
        configuration that loses nothing; Corrupted when it does not open."""
        if key.recipient != self._recipient:
            raise Unavailable(f"the journal's key is wrapped to {key.recipient}, this platform is {self._recipient}")
        now = self._clock.monotonic()
        while self._keys and (len(self._keys) > MAX_KEYS or next(iter(self._keys.values()))[0] < now):
            self._keys.popitem(last=False)
        if key.wrapped not in self._keys:
            data_key = await asyncio.to_thread(age.unwrap, key.wrapped, self._identity)
            self._keys[key.wrapped] = (now + KEEP_S, data_key)
            return data_key
        return self._keys[key.wrapped][1]
