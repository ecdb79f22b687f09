"""Follows the registry: who is there, and what each service's OpenAPI document says."""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping

import structlog

from lucid.base.errors import InvalidInput, LucidError
from lucid.base.tasks import Tasks
from lucid.ports.http import Answer, Upstream
from lucid.ports.identity import Signer
from lucid.ports.registry import Registry
from lucid.services.api_gateway.document import Document
from lucid.services.api_gateway.instances import Pool, Target

WATCH_S = 30.0
"""How long a blocking query waits for a change."""

_RETRY_S = 0.5
_ANSWER_S = 5.0
_DOCUMENT_LIMIT_BYTES = 8 * 1024 * 1024

Learned = Callable[[str, Document], None]
"""Told a service's name and its document, whenever one is fetched."""

_log = structlog.get_logger()


class Discovery:
    """Keeps pools up to date between start() and stop(). `documented` are the services that have a document."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        documented: Collection[str],
        learned: Learned,
        *,
        registry: Registry,
        upstream: Upstream,
        signer: Signer,
    ) -> None:
        self._pools = pools
        self._documented = documented
        self._learned = learned
        self._registry = registry
        self._upstream = upstream
        self._signer = signer
        self._tasks = Tasks("discovery")

    async def start(self) -> None:
        for pool in self._pools.values():
            self._tasks.spawn(self._follow(pool), name=f"follow {pool.service}")

    async def stop(self) -> None:
        await self._tasks.close()

    def check(self) -> None:
        """Raise what ended a task."""
        self._tasks.check()

    async def _follow(self, pool: Pool) -> None:
        index, said = 0, False
        while True:
            try:
                healthy = await self._registry.healthy(service=pool.service, index=index, wait_s=WATCH_S)
            except LucidError as error:
                # Whoever was there is probably there still; the circuit breakers see who is not.
                if not said:
                    _log.warning("the registry is away", looking_for=pool.service, detail=error.detail)
                said = True
                await asyncio.sleep(_RETRY_S)
                continue
            # An index that falls is of a registry that was started anew.
            index, said = (healthy.index if healthy.index >= index else 0), False
            for target in pool.set(healthy.instances):
                _log.info("instance found", service=pool.service, id=target.instance.id, url=target.url)
                if pool.service in self._documented:
                    self._tasks.spawn(self._read(pool, target), name=f"read {target.instance.id}")

    async def _read(self, pool: Pool, target: Target) -> None:
        """Fetch the document of a new instance, as long as it is healthy."""
        said = ""
        while pool.holds(target):
            try:
                self._learned(pool.service, await self._fetch(target))
                return
            except LucidError as error:
                if error.detail != said:
                    _log.warning("no OpenAPI document", service=pool.service, url=target.url, detail=error.detail)
                said = error.detail
            await asyncio.sleep(_RETRY_S)

    async def _fetch(self, target: Target) -> Document:
        token = self._signer.token(target.instance.service).reveal()
        answer = await self._upstream.request(
            method="GET",
            url=f"{target.url}/openapi.json",
            headers=[(b"authorization", f"Bearer {token}".encode())],
            body=b"",
            answer_s=_ANSWER_S,
        )
        try:
            if answer.status != 200:
                raise InvalidInput(f"answered with status {answer.status}")
            document = json.loads(await _whole(answer))
        except ValueError:
            raise InvalidInput("the document is not JSON") from None
        finally:
            answer.close()
        if not isinstance(document, dict):
            raise InvalidInput("the document is not an object")
        return document


async def _whole(answer: Answer) -> bytes:
    content = bytearray()
    while part := await answer.read():
        content += part
        if len(content) > _DOCUMENT_LIMIT_BYTES:
            raise InvalidInput("the document is too large")
    return bytes(content)
