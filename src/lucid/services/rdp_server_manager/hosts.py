"""Hosts in documents (port Hosts).

A change is anchored before it takes effect: the document is first marked, then the act goes into the log,
then the document becomes active or is deleted. What a crash leaves marked is finished at the next start.
"""

import asyncio
from typing import Any

import structlog
from pydantic import ValidationError

from lucid.base.errors import Conflict, InvalidInput, LucidError, NotFound
from lucid.base.tasks import Tasks, to_the_end
from lucid.model.canonical import first_problem
from lucid.model.host import Host, HostAccess, HostCredentials
from lucid.model.permission import Role
from lucid.ports.log import Anchoring
from lucid.ports.stores import Documents, Json, Stored
from lucid.services.rdp_server_manager.pools import Pools
from lucid.services.rdp_server_manager.records import DESKTOPS, HOSTS, all_of
from lucid.services.rdp_server_manager.seal import CredentialSeal
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings

ADDING, ACTIVE, CHANGING, REMOVING = "adding", "active", "changing", "removing"
_ACTS = {ADDING: "host.added", CHANGING: "host.changed", REMOVING: "host.removed"}
_SHOWN = [ACTIVE, CHANGING]
"""States of hosts that can be reached; what changes is as before until the log has it."""

_log = structlog.get_logger()


class HostManager:
    """Registered hosts. Those being added or removed are not shown."""

    def __init__(
        self, settings: RdpServerManagerSettings, *, documents: Documents, anchoring: Anchoring, pools: Pools
    ) -> None:
        self._seal = CredentialSeal(settings.host_seal_key)
        self._retry_s = settings.retry_s
        self._documents = documents
        self._anchoring = anchoring
        self._pools = pools
        self._tasks = Tasks("rdp-server-manager")
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        if interrupted := await all_of(self._documents, HOSTS, {"state": list(_ACTS)}):
            self._tasks.spawn(self._recover(interrupted), name="recover")

    async def stop(self) -> None:
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness: raises the failure of the recovery, if there was one."""
        self._tasks.check()

    async def add(self, *, host: Host, credentials: HostCredentials, actor: str | None = None) -> Host:
        """As the port says; Unavailable when the log does not take the act, the host is not added then."""
        sealed = self._seal.seal(host, credentials)
        body = {"state": ADDING, "host": host.model_dump(mode="json"), "sealed": sealed, "act": _by(actor)}
        # A caller that goes away must not leave the name taken: what was begun is finished or undone.
        await to_the_end(self._add(host.name, body))
        return host

    async def _add(self, name: str, body: Json) -> None:
        found = await self._documents.insert(HOSTS, name, body)
        try:
            await self._finish(found)
        except LucidError:
            await self._documents.delete(HOSTS, name)
            raise

    async def get(self, *, name: str) -> Host:
        return _host(await self._shown(name))

    async def remove(self, *, name: str, actor: str | None = None) -> None:
        """As the port says; Unavailable when the log does not take the act, the host stays then."""
        await self._refuse_desktop(name)
        await self.discard(name, actor)

    async def discard(self, name: str, actor: str | None) -> None:
        """`remove`, of a desktop's host too."""
        await to_the_end(self._carry_out(name, REMOVING, _by(actor)))

    async def change_access(
        self, *, name: str, access: HostAccess, pool: str | None = None, actor: str | None = None
    ) -> Host:
        return await self.change(name, {"access": access, "pool": pool}, actor)

    async def change(self, name: str, fields: dict[str, Any], actor: str | None) -> Host:
        """`change_access` of the given fields alone, access or pool: the others stay as they are by then."""
        return await self._change(name, fields, _by(actor, change="access"))

    async def change_credentials(self, *, name: str, credentials: HostCredentials, actor: str | None = None) -> None:
        await self._refuse_desktop(name)
        await self._change(name, {}, _by(actor, change="credentials"), credentials)

    async def move(self, name: str, place: Host) -> Host:
        """Reach the host at the address, port and with the certificate of `place` from now on."""
        update = {"address": place.address, "port": place.port, "fingerprint": place.fingerprint}
        return await self._change(name, update, _by(None, change="address"))

    async def assign(self, *, pool: str, user: str | None = None, role: Role | None = None) -> Host:
        return await self._pools.assign(await self.list(), pool, user, role)

    async def credentials(self, *, host: Host) -> HostCredentials:
        found = await self._shown(host.name)
        return self._seal.open(host, found.body["sealed"])

    async def pin(self, *, name: str, fingerprint: str) -> Host:
        async with self._changing:
            while True:
                found = await self._shown(name)
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

    async def _change(
        self, name: str, update: dict[str, Any], act: dict[str, str], credentials: HostCredentials | None = None
    ) -> Host:
        """Replace fields of the host, or its credentials; Unavailable when the log does not take the act."""

        async def work() -> Host:
            async with self._changing:
                found = await self._shown(name)
                host = _host(found)
                changed = host.model_copy(update=update)
                sealed = self._seal.seal(changed, credentials or self._seal.open(host, found.body["sealed"]))
                after = {"host": changed.model_dump(mode="json"), "sealed": sealed}
                await self._carry_out(name, CHANGING, act, after)
                return changed

        return await to_the_end(work())

    async def _carry_out(self, name: str, state: str, act: dict[str, str], after: Json | None = None) -> None:
        """Mark a host, have the act anchored and let it take effect; or leave the host as it was."""
        found = await self._shown(name)
        marked = await self._replace(found, state=state, act=act, after=after)
        try:
            await self._finish(marked)
        except LucidError:
            await self._replace(marked, state=ACTIVE, act=None, after=None)
            raise

    async def _finish(self, found: Stored) -> None:
        """Anchor the change that the document is marked with, and let it take effect."""
        state, act = found.body["state"], _ACTS[found.body["state"]]
        await self._anchoring.act(type=act, subject={"host": found.id, **(found.body.get("act") or {})})
        if state == REMOVING:
            await self._documents.delete(HOSTS, found.id)
        else:
            await self._replace(found, state=ACTIVE, act=None, after=None, **(found.body.get("after") or {}))
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

    async def _replace(self, found: Stored, **fields: Any) -> Stored:
        """Write fields of the document; those that are None are left out."""
        body = {key: value for key, value in (found.body | fields).items() if value is not None}
        return await self._documents.replace(HOSTS, found.id, body, version=found.version)

    async def _shown(self, name: str) -> Stored:
        found = await self._documents.get(HOSTS, name)
        if found.body["state"] not in _SHOWN:
            raise NotFound(f"no host {name}")
        return found

    async def _refuse_desktop(self, name: str) -> None:
        try:
            await self._documents.get(DESKTOPS, name)
        except NotFound:
            return
        raise Conflict(f"host {name} belongs to the desktop of that name")

    async def list(self) -> list[Host]:  # last: below it, `list` is this method
        return [_host(found) for found in await all_of(self._documents, HOSTS, {"state": _SHOWN})]


def _by(actor: str | None, **subject: str) -> dict[str, str]:
    """What the act says besides the host."""
    return subject if actor is None else {**subject, "actor": actor}


def _host(found: Stored) -> Host:
    return Host.model_validate(found.body["host"])


def _with_fingerprint(host: Host, fingerprint: str) -> Host:
    try:
        if fingerprint:
            return Host.model_validate(host.model_dump() | {"fingerprint": fingerprint})
    except ValidationError as error:
        raise InvalidInput(first_problem(error), field="fingerprint") from None
    raise InvalidInput("fingerprint: expected 64 hex digits", field="fingerprint")
