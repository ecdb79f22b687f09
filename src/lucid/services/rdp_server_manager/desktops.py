"""Desktops on the built-in host (port Desktops).

The document says what is to be; account, home and host entry follow it. Each step may be repeated, so whatever a crash
interrupts is carried on by `reconcile`, as is a built-in host that lost its accounts or moved.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

import structlog

from lucid.access.acts import OPERATOR, Acts, Origin
from lucid.base.clock import Clock
from lucid.base.errors import Conflict, LucidError, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.base.tasks import to_the_end
from lucid.model.host import Host, HostAccess, HostCredentials
from lucid.ports.desktops import USER_PREFIX, Desktop, DesktopQuota, DesktopState, XrdpHost
from lucid.ports.stores import Documents, Stored
from lucid.services.rdp_server_manager.hosts import HostManager
from lucid.services.rdp_server_manager.quotas import Quotas
from lucid.services.rdp_server_manager.records import DESKTOPS, all_of

CREATING, READY, RESETTING, DELETING = "creating", "ready", "resetting", "deleting"

_log = structlog.get_logger()


class DesktopManager:
    """Provisions desktops; connecting to one starts it, by logging in."""

    def __init__(
        self, *, documents: Documents, hosts: HostManager, xrdp: XrdpHost, quotas: Quotas, acts: Acts, clock: Clock
    ) -> None:
        self._documents = documents
        self._hosts = hosts
        self._xrdp = xrdp
        self._quotas = quotas
        self._acts = acts
        self._clock = clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._counting = asyncio.Lock()

    # The port Desktops.

    async def create(self, *, name: str, owner: str, actor: str | None = None) -> Desktop:
        if not (status := await self._xrdp.status()).available:
            raise Unavailable(f"no built-in desktops here: {status.reason}")
        # A caller that goes away changes nothing: what was begun is finished or undone.
        return await to_the_end(self._create(name, owner, actor))

    async def _create(self, name: str, owner: str, actor: str | None) -> Desktop:
        async with self._turn(name):
            found = await self._reserve(name, owner, actor)
            try:
                found = await self._provide(found)
            except LucidError:
                found = await self._mark(found, DELETING)
                await self._try_undo(found)
                raise
            await self._done("desktop.created", found)
        return _desktop(found, running=False)

    async def _reserve(self, name: str, owner: str, actor: str | None) -> Stored:
        """The document of a new desktop. Raises Forbidden over the quota, Conflict."""
        async with self._counting:
            await self._quotas.check(owner)
            await self._free(name)
            body = {"owner": owner, "account": _account(name), "created": self._clock.now(), "actor": actor}
            return await self._documents.insert(DESKTOPS, name, body | {"state": CREATING})

    async def get(self, *, name: str) -> Desktop:
        found = await self._documents.get(DESKTOPS, name)
        return _desktop(found, running=found.body["account"] in await self._running())

    async def stop(self, *, name: str, actor: str | None = None) -> Desktop:
        async with self._turn(name):
            found = await self._ready(name)
            if await self._xrdp.stop_session(user=found.body["account"]):
                origin = Origin(actor or OPERATOR)
                await self._acts.done("desktop.stopped", origin, desktop=name, owner=found.body["owner"])
        return _desktop(found, running=False)

    async def reset(self, *, name: str, actor: str | None = None) -> Desktop:
        return await to_the_end(self._begin(name, RESETTING, actor))

    async def delete(self, *, name: str, actor: str | None = None) -> None:
        await to_the_end(self._begin(name, DELETING, actor))

    async def quota(self, *, owner: str) -> DesktopQuota:
        return await self._quotas.get(owner)

    async def set_quota(self, *, owner: str, limit: int | None, actor: str | None = None) -> DesktopQuota:
        quota = await self._quotas.set(owner, limit)
        origin = Origin(actor or OPERATOR)
        await self._acts.done("desktop.quota-changed", origin, accountable=True, owner=owner, limit=str(quota.limit))
        return quota

    async def list(self, *, owner: str | None = None) -> list[Desktop]:
        found = await all_of(self._documents, DESKTOPS, {} if owner is None else {"owner": owner})
        running = await self._running() if found else set()
        return [_desktop(one, running=one.body["account"] in running) for one in found]

    # Carrying on.

    async def reconcile(self) -> None:
        """Finish what is unfinished, and give a built-in host that lost accounts, or moved, what it lacks. Raises the
        last failure; the others do not wait for it."""
        failure: LucidError | None = None
        found = await all_of(self._documents, DESKTOPS, {})
        if not found or not (await self._xrdp.status()).available:
            return
        accounts = {desktop.user for desktop in await self._xrdp.desktops()}
        for one in found:
            if one.id in self._turns:
                continue  # somebody is at it
            try:
                async with self._turn(one.id):
                    await self._carry_on(await self._documents.get(DESKTOPS, one.id), accounts)
            except (NotFound, Conflict):
                continue  # changed meanwhile
            except LucidError as error:
                _log.info("desktop waits", desktop=one.id, state=one.body["state"], detail=error.detail)
                failure = error
        if failure is not None:
            raise failure

    async def _carry_on(self, found: Stored, accounts: set[str]) -> None:
        match found.body["state"]:
            case "creating":
                found = await self._provide(found)
                await self._done("desktop.created", found)
            case "resetting":
                await self._reset(found)
            case "deleting":
                await self._delete(found)
            case _:
                if found.body["account"] not in accounts or await self._host_of(found) is None:
                    await self._provide(found)
                await self._follow(found)

    async def _provide(self, found: Stored) -> Stored:
        """Account, home and host entry, as far as they are not there. The password that is stored sealed counts."""
        account = found.body["account"]
        host = await self._host_of(found)
        if host is None:
            password = Secret(secrets.token_urlsafe(24))
            await self._xrdp.create_user(user=account, password=password)
            place = await self._xrdp.endpoint()
            access = HostAccess(users=(found.body["owner"],), roles=())
            host = place.model_copy(update={"name": found.id, "access": access, "added": self._clock.now()})
            credentials = HostCredentials(username=account, password=password)
            await self._hosts.add(host=host, credentials=credentials, actor=found.body.get("actor"))
        else:
            credentials = await self._hosts.credentials(host=host)
            await self._xrdp.create_user(user=account, password=credentials.password)
        return found if found.body["state"] == READY else await self._mark(found, READY)

    async def _follow(self, found: Stored) -> None:
        """The host entry says where the built-in host is now."""
        place, host = await self._xrdp.endpoint(), await self._host_of(found)
        if host is not None and _place(host) != _place(place):
            await self._hosts.move(found.id, place)

    async def _begin(self, name: str, state: str, actor: str | None) -> Any:
        async with self._turn(name):
            found = await self._ready(name)
            marked = await self._documents.replace(
                DESKTOPS, name, found.body | {"state": state, "actor": actor}, version=found.version
            )
            return await (self._reset(marked) if state == RESETTING else self._delete(marked))

    async def _reset(self, found: Stored) -> Desktop:
        await self._xrdp.reset_user(user=found.body["account"])
        found = await self._mark(found, READY)
        await self._done("desktop.reset", found)
        return _desktop(found, running=False)

    async def _delete(self, found: Stored) -> None:
        try:
            host = await self._host_of(found)
        except Conflict:
            host = None  # another one has the name now, and keeps it
        if host is not None:
            await self._hosts.discard(found.id, found.body.get("actor"))
        await self._xrdp.remove_user(user=found.body["account"])
        await self._done("desktop.deleted", found)
        await self._documents.delete(DESKTOPS, found.id)

    async def _try_undo(self, found: Stored) -> None:
        try:
            await self._delete(found)
        except LucidError as error:
            _log.warning("desktop is removed later", desktop=found.id, detail=error.detail)

    async def _done(self, act: str, found: Stored) -> None:
        """Into the audit trail and the log, by whom the document says."""
        origin = Origin(found.body.get("actor") or OPERATOR)
        await self._acts.done(act, origin, accountable=True, desktop=found.id, owner=found.body["owner"])

    # Looking.

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """One change of a desktop at a time."""
        lock = self._turns.setdefault(name, asyncio.Lock())
        async with lock:
            yield

    async def _free(self, name: str) -> None:
        try:
            await self._hosts.get(name=name)
        except NotFound:
            return
        raise Conflict(f"the name {name} is taken by a host")

    async def _ready(self, name: str) -> Stored:
        found = await self._documents.get(DESKTOPS, name)
        if found.body["state"] in (CREATING, RESETTING):
            raise Conflict(f"desktop {name} is being {'created' if found.body['state'] == CREATING else 'reset'}")
        if found.body["state"] == DELETING:
            raise NotFound(f"no desktop {name}: it is being deleted")
        return found

    async def _host_of(self, found: Stored) -> Host | None:
        """The host entry of the desktop; one of the same name with other credentials is not its."""
        try:
            host = await self._hosts.get(name=found.id)
        except NotFound:
            return None
        if (await self._hosts.credentials(host=host)).username != found.body["account"]:
            raise Conflict(f"the name {found.id} is taken by a host")
        return host

    async def _running(self) -> set[str]:
        return {desktop.user for desktop in await self._xrdp.desktops() if desktop.running}

    async def _mark(self, found: Stored, state: str) -> Stored:
        return await self._documents.replace(DESKTOPS, found.id, found.body | {"state": state}, version=found.version)


def _account(name: str) -> str:
    """A Unix account's name that resembles the desktop's, and is used once."""
    readable = re.sub(r"[^a-z0-9]+", "-", name)[:12].strip("-")
    return f"{USER_PREFIX}{readable}-{secrets.token_hex(3)}"


def _desktop(found: Stored, *, running: bool) -> Desktop:
    state = found.body["state"]
    if state in (READY, RESETTING):
        state = DesktopState.RUNNING if running else DesktopState.STOPPED
    return Desktop(
        name=found.id,
        owner=found.body["owner"],
        account=found.body["account"],
        state=state,
        created=found.body["created"],
    )


def _place(host: Host) -> tuple[str, int, str]:
    return host.address, host.port, host.fingerprint
