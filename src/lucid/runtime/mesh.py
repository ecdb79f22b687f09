"""Finding services and being found: every process registers its services and follows those that it calls."""

import asyncio
import itertools
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import structlog

import lucid
from lucid.base.errors import LucidError, NotFound, Unavailable
from lucid.base.tasks import Tasks
from lucid.catalog.types import Service
from lucid.drivers.http.client import Where, at
from lucid.ports.registry import Instance, Registry

WATCH_S = 30.0
"""How long a blocking query waits for a change."""

FIRST_ANSWER_S = 3.0
"""How long the first call to a service waits until an instance of it is known."""

REGISTER_AGAIN_S = 21_600.0
"""How often an instance registers anew although the registry knows it: what it signed then ends one day."""

_RETRY_S = 0.5
_RENEWALS = 3
"""Renewals within one TTL, so that one may be lost."""

_log = structlog.get_logger()


def fixed_address(service: Service) -> str | None:
    """What LUCID_URL_<NAME> says, which is not looked up then."""
    return os.environ.get("LUCID_URL_" + service.name.upper().replace("-", "_"))


class Mesh:
    """Speaks to the registry for one process. Used as an async context manager, so that it leaves when the process
    ends."""

    def __init__(self, registry: Registry, *, ttl_s: float) -> None:
        self._registry = registry
        self._ttl_s = ttl_s
        self._tasks = Tasks("mesh")
        self._joined: list[Instance] = []
        self._known: dict[str, _Known] = {}

    def join(self, service: Service, url: str, *, address: str = "") -> None:
        """Register an instance that listens at `url` and keep it registered, also when the registry forgets it.
        `address` is what others reach it by, if not by the host of `url`."""
        where = urlsplit(url)
        instance = Instance(
            service=service.name,
            id=f"{service.name}-{secrets.token_hex(4)}",
            address=address or where.hostname or "127.0.0.1",
            port=where.port or 80,
            version=lucid.__version__,
        )
        self._joined.append(instance)
        self._tasks.spawn(self._stay(instance), name=f"stay {instance.id}")

    async def _stay(self, instance: Instance) -> None:
        registered, said, since = False, False, 0.0
        while True:
            try:
                if registered and time.monotonic() - since < REGISTER_AGAIN_S:
                    await self._registry.renew(id=instance.id)
                else:
                    await self._registry.register(instance=instance, ttl_s=self._ttl_s)
                    registered, since = True, time.monotonic()
                    _log.debug("registered", service=instance.service, id=instance.id)
                pause_s, said = self._ttl_s / _RENEWALS, False
            except NotFound:
                registered, pause_s = False, 0.0
            except LucidError as error:
                if not said:
                    _log.warning("the registry is away", service=instance.service, detail=error.detail)
                pause_s, said = _RETRY_S, True
            await asyncio.sleep(pause_s)

    def where(self, service: Service) -> Where:
        """Where the service is now, one instance after the other."""
        if url := fixed_address(service):
            return at(url)
        if (known := self._known.get(service.name)) is None:
            known = self._known[service.name] = _Known(service.name)
            self._tasks.spawn(self._follow(known), name=f"follow {service.name}")
        return known.next

    async def _follow(self, known: "_Known") -> None:
        index = 0
        while True:
            try:
                healthy = await self._registry.healthy(service=known.service, index=index, wait_s=WATCH_S)
            except LucidError as error:
                # What was known is still the best guess. The index stays: a mesh that was started anew holds the query
                # back until somebody has registered again.
                _log.debug("the registry is away", looking_for=known.service, detail=error.detail)
                await asyncio.sleep(_RETRY_S)
                continue
            # An index that falls is of a registry that was started anew.
            index = healthy.index if healthy.index >= index else 0
            known.set(instance.url for instance in healthy.instances)

    async def leave(self) -> None:
        """Deregister and stop following."""
        await self._tasks.close()
        joined, self._joined = self._joined, []
        left = await asyncio.gather(*(self._leave(instance) for instance in joined))
        _log.debug("left the mesh", instances=len(left))

    async def _leave(self, instance: Instance) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._registry.deregister(id=instance.id)
        except (LucidError, TimeoutError) as error:
            _log.info("not deregistered; its TTL ends it", id=instance.id, detail=str(error))

    async def __aenter__(self) -> "Mesh":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()


class _Known:
    """The addresses of one service, as far as they are known."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._urls: Sequence[str] = ()
        self._turns = itertools.count()
        self._some = asyncio.Event()

    def set(self, urls: Iterable[str]) -> None:
        self._urls = tuple(urls)
        if self._urls:
            self._some.set()
        else:
            self._some.clear()

    async def next(self) -> str:
        """One of the addresses in turn. Raises Unavailable when there is none for a while."""
        if not self._some.is_set():
            try:
                async with asyncio.timeout(FIRST_ANSWER_S):
                    await self._some.wait()
            except TimeoutError:
                raise Unavailable(f"no instance of {self.service} is healthy", retry_after_s=1.0) from None
        return self._urls[next(self._turns) % len(self._urls)]
