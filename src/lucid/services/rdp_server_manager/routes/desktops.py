"""/api/v1/desktops: desktops on the built-in host, and how many a person may have."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, StrictInt

from lucid.base.clock import Time
from lucid.base.errors import Forbidden, NotFound
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.model.principal import Principal
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.ports.desktops import MAX_DESKTOPS, Desktop, DesktopQuota, DesktopState
from lucid.services.rdp_server_manager.routes.forms import After, DesktopName, Limit, problems
from lucid.services.rdp_server_manager.service import ServerManager

OwnerName = Annotated[Name, Path(description="whose desktops", examples=["ada"])]
_ABSENT = "there is no such desktop, or it is somebody else's"
_BUSY = "the desktop is being created or reset"
_NOWHERE = "the built-in host does not work on this installation; the detail says why"


class NewDesktop(Value):
    """A desktop to create; `owner` is the person who asks unless it is given."""

    name: Name = Field(examples=["ada-1"])
    owner: Name | None = Field(default=None, examples=["ada"])


class DesktopView(Value):
    """A desktop. It is connected to as the host of the same name; connecting starts it."""

    name: Name = Field(examples=["ada-1"])
    owner: Name = Field(examples=["ada"])
    state: DesktopState = Field(examples=["running"])
    created: Time = Field(examples=["2026-11-22T21:42:00.000000Z"])


class DesktopPage(Value):
    """Desktops by name; `next` continues behind them."""

    items: list[DesktopView]
    next: Name | None = Field(examples=["ada-1"])


class QuotaChange(Value):
    """How many desktops the person may have; null: as many as the installation's default."""

    limit: StrictInt | None = Field(ge=0, le=MAX_DESKTOPS, examples=[5])


def _view(desktop: Desktop) -> DesktopView:
    return DesktopView(name=desktop.name, owner=desktop.owner, state=desktop.state, created=desktop.created)


def _manages(principal: Principal) -> bool:
    return principal.may(Permission.DESKTOPS_MANAGE)


def desktop_routes(manager: ServerManager) -> APIRouter:
    """Routes of desktops: one's own, or everybody's for those who manage them."""
    router = APIRouter(prefix=f"{API_PREFIX}/desktops", tags=["desktops"])
    desktops = manager.desktops
    use = requires(Permission.DESKTOPS_USE)

    async def owned(name: str, principal: Principal) -> Desktop:
        desktop = await desktops.get(name=name)
        if desktop.owner != principal.user and not _manages(principal):
            raise NotFound(f"no desktop {name}")
        return desktop

    @router.get("", summary="List desktops", operation_id="listDesktops", **use)
    async def list_desktops(
        principal: Caller,
        owner: Annotated[Name | None, Query(description="only this person's", examples=["ada"])] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> DesktopPage:
        """One's own; everybody's to those who manage desktops."""
        whose = owner if _manages(principal) else principal.user
        if owner not in (None, whose):
            return DesktopPage(items=[], next=None)
        found = [desktop for desktop in await desktops.list(owner=whose) if desktop.name > (after or "")]
        items = [_view(desktop) for desktop in found[:limit]]
        return DesktopPage(items=items, next=items[-1].name if len(found) > limit else None)

    @router.post(
        "",
        status_code=201,
        summary="Create a desktop",
        operation_id="createDesktop",
        responses=problems(
            _403="the owner has as many desktops as may be, or is not the person, who does not manage desktops",
            _409="the name is taken",
            _503=_NOWHERE,
        ),
        **use,
    )
    async def create_desktop(new: NewDesktop, principal: Caller) -> DesktopView:
        """An account and a home on the built-in host, and a host of the same name that the owner may connect to."""
        owner = new.owner or principal.user
        if owner != principal.user and not _manages(principal):
            raise Forbidden("a desktop for somebody else needs the permission desktops:manage")
        return _view(await desktops.create(name=new.name, owner=owner, actor=principal.user))

    @router.get("/{name}", summary="See a desktop", operation_id="getDesktop", responses=problems(_404=_ABSENT), **use)
    async def get_desktop(name: DesktopName, principal: Caller) -> DesktopView:
        """Whether it runs, say."""
        return _view(await owned(name, principal))

    @router.post(
        "/{name}/stop",
        summary="Stop a desktop",
        operation_id="stopDesktop",
        responses=problems(_404=_ABSENT, _409=_BUSY, _503=_NOWHERE),
        **use,
    )
    async def stop_desktop(name: DesktopName, principal: Caller) -> DesktopView:
        """All programs on it end; the home stays."""
        await owned(name, principal)
        return _view(await desktops.stop(name=name, actor=principal.user))

    @router.post(
        "/{name}/reset",
        summary="Reset a desktop",
        operation_id="resetDesktop",
        responses=problems(_404=_ABSENT, _409=_BUSY, _503=_NOWHERE),
        **use,
    )
    async def reset_desktop(name: DesktopName, principal: Caller) -> DesktopView:
        """All programs on it end, and its home is as on the first day: what was in it is lost."""
        await owned(name, principal)
        return _view(await desktops.reset(name=name, actor=principal.user))

    @router.delete(
        "/{name}",
        status_code=204,
        summary="Delete a desktop",
        operation_id="deleteDesktop",
        responses=problems(_404=_ABSENT, _409=_BUSY, _503=_NOWHERE),
        **use,
    )
    async def delete_desktop(name: DesktopName, principal: Caller) -> None:
        """Account, home and host go; recordings stay."""
        await owned(name, principal)
        await desktops.delete(name=name, actor=principal.user)

    return router


def quota_routes(manager: ServerManager) -> APIRouter:
    """Routes of quotas."""
    router = APIRouter(prefix=f"{API_PREFIX}/desktop-quotas", tags=["desktops"])
    desktops = manager.desktops

    @router.get(
        "/{owner}",
        summary="See how many desktops a person may have",
        operation_id="getDesktopQuota",
        responses=problems(_404="it is somebody else's"),
        **requires(Permission.DESKTOPS_USE),
    )
    async def get_desktop_quota(owner: OwnerName, principal: Caller) -> DesktopQuota:
        """One's own; anybody's to those who manage desktops."""
        if owner != principal.user and not _manages(principal):
            raise NotFound(f"no quota of {owner}")
        return await desktops.quota(owner=owner)

    @router.put(
        "/{owner}",
        summary="Set how many desktops a person may have",
        operation_id="setDesktopQuota",
        responses=problems(_409="it was changed at the same time"),
        **requires(Permission.DESKTOPS_MANAGE),
    )
    async def set_desktop_quota(owner: OwnerName, change: QuotaChange, principal: Caller) -> DesktopQuota:
        """Desktops over the number stay; no further ones are created."""
        return await desktops.set_quota(owner=owner, limit=change.limit, actor=principal.user)

    return router
