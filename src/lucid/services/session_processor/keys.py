"""Data keys in memory, for as long as their session is likely to need them."""

import asyncio
from collections import OrderedDict

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.model.manifest import WrappedKey

MAX_KEYS = 256
KEEP_S = 60.0


class DataKeys:
    """Unwraps data keys and keeps each for a minute, whether another is asked for or not."""

    def __init__(self, identity: Secret, *, keep_s: float = KEEP_S) -> None:
        self._identity = identity
        self._recipient = age.recipient_of(identity)
        self._keep_s = keep_s
        self._keys: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._keys)

    async def unwrap(self, key: WrappedKey) -> bytes:
        """The data key. Raises Unavailable when it is wrapped to another identity, which is a mistake of
        configuration that loses nothing; Corrupted when it does not open."""
        if key.recipient != self._recipient:
            raise Unavailable(f"the journal's key is wrapped to {key.recipient}, this platform is {self._recipient}")
        if (kept := self._keys.get(key.wrapped)) is not None:
            return kept
        data_key = await asyncio.to_thread(age.unwrap, key.wrapped, self._identity)
        self._keys[key.wrapped] = data_key
        asyncio.get_running_loop().call_later(self._keep_s, self._keys.pop, key.wrapped, None)
        if len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)
        return data_key
