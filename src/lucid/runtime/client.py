"""Ports of a platform that runs in another process, for the command line."""

import json
from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

import psutil

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.catalog.keys import SERVICE_TOKEN
from lucid.catalog.services import SERVICES
from lucid.catalog.types import Service
from lucid.drivers.http.client import connect, new_http
from lucid.runtime.keyring import Keyring
from lucid.runtime.paths import DataDir
from lucid.runtime.wiring import provider_of

P = TypeVar("P")


class RemotePlatform:
    """Binds ports to a running platform by the addresses in its run file. Async context manager."""

    def __init__(
        self, urls: Mapping[str, str], token: Secret, *, pid: int = 0, services: Sequence[Service] = SERVICES
    ) -> None:
        self.urls = urls
        self.pid = pid
        self._token = token
        self._services = services
        self._http = new_http()

    @classmethod
    def of(cls, data: DataDir) -> Self:
        """The platform that runs on this data folder. Raises Unavailable when none does."""
        try:
            state = json.loads(data.run_file.read_text())
        except FileNotFoundError:
            raise Unavailable(f"no platform runs on {data.root}: start one with `lucid up`") from None
        if not psutil.pid_exists(state["pid"]):
            raise Unavailable(f"the platform on {data.root} has ended unexpectedly: start it again with `lucid up`")
        return cls(state["urls"], Keyring.open(data.keys).private(SERVICE_TOKEN), pid=state["pid"])

    def port(self, port: type[P]) -> P:
        """`port`, spoken over HTTP. Raises LookupError when the platform does not run that service."""
        service = provider_of(port, self._services)
        return connect(port, self.urls[service.name], self._token, http=self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
