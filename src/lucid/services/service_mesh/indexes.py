"""Blocking queries: every topic has an index that rises with each change, and requests that wait for that."""

import asyncio

from lucid.services.service_mesh.errors import Refusal

Topic = tuple[str, ...]


class Indexes:
    """Indexes of one agent. They begin at `first`, above all of an earlier run, so that a client's old one is never
    ahead."""

    def __init__(self, first: int, *, max_waiters: int) -> None:
        self._last = max(1, first)
        self._first = self._last
        self._dropped = 0
        self._topics: dict[Topic, int] = {}
        self._waiting: dict[Topic, set[asyncio.Future[None]]] = {}
        self._waiters = 0
        self._max_waiters = max_waiters
        self._closed = False

    def __len__(self) -> int:
        """How many topics have an index of their own."""
        return len(self._topics)

    @property
    def last(self) -> int:
        """The highest index so far."""
        return self._last

    def next(self) -> int:
        """A fresh index, higher than all before."""
        self._last += 1
        return self._last

    def touch(self, *topics: Topic) -> int:
        """Something of these topics has changed; the new index."""
        index = self.next()
        for topic in topics:
            self.set(topic, index)
        return index

    def set(self, topic: Topic, index: int) -> None:
        """The topic has changed, at an index of `next`."""
        self._topics[topic] = index
        for waiter in self._waiting.pop(topic, ()):
            if not waiter.done():
                waiter.set_result(None)

    def drop(self, topic: Topic) -> None:
        """Nothing is left of the topic. Its index is not kept: that of all topics without one rises."""
        self.set(topic, self.next())
        self._dropped = self._topics.pop(topic)

    def rise_to(self, index: int) -> None:
        """Be above `index`, which an earlier run has given out."""
        self._last = self._first = max(self._last, index + 1)

    def of(self, topic: Topic) -> int:
        return self._topics.get(topic) or max(self._first, self._dropped)

    def _is_new(self, topic: Topic, index: int, rebuilt: bool) -> bool:
        if index <= 0 or self._closed:
            return True
        if rebuilt and topic not in self._topics and not self._dropped:
            return False
        return self.of(topic) != index

    async def wait(self, topic: Topic, index: int, wait_s: float, *, rebuilt: bool = False) -> int:
        """The topic's index as soon as it is another than `index`, or as it is after `wait_s`. `rebuilt`: after a
        restart others tell what the topic is about; until they do, who waited before goes on waiting, rather than
        learn that nothing is there. Raises Refusal when too many wait."""
        if self._is_new(topic, index, rebuilt):
            return self.of(topic)
        if self._waiters >= self._max_waiters:
            raise Refusal(429, "too many blocking queries")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(topic, set()).add(waiter)
        self._waiters += 1
        try:
            async with asyncio.timeout(wait_s):
                await waiter
        except TimeoutError:
            pass  # nothing changed: the answer is as it was
        finally:
            self._waiters -= 1
            if waiters := self._waiting.get(topic):
                waiters.discard(waiter)
                if not waiters:
                    del self._waiting[topic]
        return self.of(topic)

    @property
    def waiters(self) -> int:
        """How many wait now."""
        return self._waiters

    def close(self) -> None:
        """Let everybody go who waits; nobody waits any more."""
        self._closed = True
        for waiters in self._waiting.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
