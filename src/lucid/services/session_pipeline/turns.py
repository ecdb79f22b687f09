"""Openings go into the log in the order of the recorder's numbers (docs/format.md section 5, rule 1)."""

import asyncio


class Turns:
    """The sessions whose opening is not anchored yet. One without a number yet holds up all others: it may get,
    or already have, a lower one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._abandoned: set[str] = set()
        self._changed = asyncio.Event()

    def enter(self, session: str) -> None:
        """The session is about to ask for a number."""
        self._numbers.setdefault(session, 0)

    def number(self, session: str, sequence: int) -> None:
        """The session has got its number."""
        self._numbers[session] = sequence
        self._notify()

    def abandon(self, session: str) -> None:
        """The session's opening failed and is completed in the background."""
        if session in self._numbers:
            self._abandoned.add(session)

    def leave(self, session: str) -> None:
        """The session's opening is anchored, or there never was a number."""
        self._numbers.pop(session, None)
        self._abandoned.discard(session)
        self._notify()

    @property
    def blocked(self) -> bool:
        """Whether an opening that failed still holds up those behind it."""
        return bool(self._abandoned)

    async def wait(self, session: str) -> None:
        """Return when no lower number is left before `session`."""
        while any(number < self._numbers[session] for number in self._numbers.values()):
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
