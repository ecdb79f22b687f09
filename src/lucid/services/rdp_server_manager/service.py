"""Hosts in documents (port Hosts).

A change is anchored before it takes effect: the document is first marked, then the act goes into the log,
then the document becomes active or is deleted. What a crash leaves marked is finished at the next start.
"""

import asyncio

import structlog
from pydantic import ValidationError

from lucid.base.errors import Conflict, InvalidInput, LucidError, NotFound
from lucid.base.tasks import Tasks
from lucid.model.canonical import first_problem
from lucid.model.host import Host, HostAccess, HostCredentials
from lucid.ports.log import Anchoring
from lucid.ports.stores import Documents, Json, Stored
from lucid.services.rdp_server_manager.seal import CredentialSeal
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings

HOSTS = "hosts"
ADDING, ACTIVE, REMOVING = "adding", "active", "removing"
_PAGE = 500

_log = structlog.get_logger()


class HostManager:
    """Registered hosts. Those being added or removed are not shown."""

    def __init__(self, settings: RdpServerManagerSettings, *, documents: Documents, anchoring: Anchoring) -> None:
        self._seal = CredentialSeal(settings.host_seal_key)
        self._retry_s = settings.retry_s
        self._documents = documents
        self._anchoring = anchoring
        self._tasks = Tasks("rdp-server-manager")

    async def start(self) -> None:
        interrupted = [found for state in (ADDING, REMOVING) for found in await self._all(state)]
        if interrupted:
            self._tasks.spawn(self._recover(interrupted), name="recover")

    async def stop(self) -> None:
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness: raises the failure of the recovery, if there was one."""
        self._tasks.check()

    async def add(self, *, host: Host, credentials: HostCredentials) -> Host:
        """As the port says; Unavailable when the log does not take the act, the host is not added then."""
        sealed = self._seal.seal(host, credentials)
        body = {"state": ADDING, "host": host.model_dump(mode="json"), "sealed": sealed}
        # A caller that goes away must not leave the name taken: what was begun is finished or undone.
        await asyncio.shield(asyncio.ensure_future(self._add(host.name, body)))
        return host

    async def _add(self, name: str, body: Json) -> None:
        found = await self._documents.insert(HOSTS, name, body)
        try:
            await self._finish(found)
        except LucidError:
            await self._documents.delete(HOSTS, name)
            raise

    async def get(self, *, name: str) -> Host:
        return _host(await self._active(name))

    async def remove(self, *, name: str) -> None:
        """As the port says; Unavailable when the log does not take the act, the host stays then."""
        await asyncio.shield(asyncio.ensure_future(self._remove(name)))

    async def _remove(self, name: str) -> None:
        found = await self._active(name)
        marked = await self._mark(found, REMOVING)
        try:
            await self._finish(marked)
        except LucidError:
            await self._mark(marked, ACTIVE)
            raise

    async def change_access(self, *, name: str, access: HostAccess, pool: str | None = None) -> Host:
        while True:
            found = await self._active(name)
            changed = _host(found).model_copy(update={"access": access, "pool": pool})
            try:
                body = found.body | {"host": changed.model_dump(mode="json")}
                await self._documents.replace(HOSTS, name, body, version=found.version)
            except Conflict:
                continue  # changed since it was read: look again
            _log.info("access changed", host=name)
            return changed

    async def credentials(self, *, host: Host) -> HostCredentials:
        found = await self._active(host.name)
        return self._seal.open(host, found.body["sealed"])

    async def pin(self, *, name: str, fingerprint: str) -> Host:
        while True:
            found = await self._active(name)
            host = _host(found)
            if host.fingerprint and host.fingerprint == fingerprint:
                return host
            if host.fingerprint:
                raise Conflict(f"host {name}: another certificate is pinned")
            pinned = _with_fingerprint(host, fingerprint)
            sealed = self._seal.seal(pinned, self._seal.open(host, found.body["sealed"]))
            try:
                body = found.body | {"host": pinned.model_dump(mode="json"), "sealed": sealed}
                await self._documents.replace(HOSTS, name, body, version=found.version)
            except Conflict:
                continue  # changed since it was read: look again
            _log.info("certificate pinned", host=name, fingerprint=fingerprint)
            return pinned

    async def _finish(self, found: Stored) -> None:
        """Anchor the change that the document is marked with, and let it take effect."""
        adding = found.body["state"] == ADDING
        act = "host.added" if adding else "host.removed"
        await self._anchoring.act(type=act, subject={"host": found.id})
        if adding:
            await self._mark(found, ACTIVE)
        else:
            await self._documents.delete(HOSTS, found.id)
        _log.info(act, host=found.id)

    async def _recover(self, interrupted: list[Stored]) -> None:
        for found in interrupted:
            while True:
                try:
                    await self._finish(found)
                    break
                except Conflict:
                    break  # finished by somebody else
                except LucidError as error:
                    _log.warning("change of a host waits", host=found.id, error=error.slug, detail=error.detail)
                    await asyncio.sleep(self._retry_s)

    async def _mark(self, found: Stored, state: str) -> Stored:
        return await self._documents.replace(HOSTS, found.id, found.body | {"state": state}, version=found.version)

    async def _active(self, name: str) -> Stored:
        found = await self._documents.get(HOSTS, name)
        if found.body["state"] != ACTIVE:
            raise NotFound(f"no host {name}")
        return found

    async def _all(self, state: str) -> list[Stored]:
        hosts: list[Stored] = []
        after = None
        while page := await self._documents.find(HOSTS, {"state": state}, after=after, limit=_PAGE):
            hosts += page
            after = page[-1].id
        return hosts

    async def list(self) -> list[Host]:  # last: below it, `list` is this method
        return [_host(found) for found in await self._all(ACTIVE)]


def _host(found: Stored) -> Host:
    return Host.model_validate(found.body["host"])


def _with_fingerprint(host: Host, fingerprint: str) -> Host:
    try:
        if fingerprint:
            return Host.model_validate(host.model_dump() | {"fingerprint": fingerprint})
    except ValidationError as error:
        raise InvalidInput(first_problem(error), field="fingerprint") from None
    raise InvalidInput("fingerprint: expected 64 hex digits", field="fingerprint")
