"""How many desktops a person may have."""

from lucid.base.errors import Conflict, Forbidden, NotFound
from lucid.ports.desktops import DesktopQuota
from lucid.ports.stores import Documents
from lucid.services.rdp_server_manager.records import DESKTOPS, QUOTAS, all_of


class Quotas:
    """The installation's default, unless another number is set for the person."""

    def __init__(self, *, documents: Documents, default: int) -> None:
        self._documents = documents
        self._default = default

    async def get(self, owner: str) -> DesktopQuota:
        try:
            found = await self._documents.get(QUOTAS, owner)
        except NotFound:
            return DesktopQuota(owner=owner, limit=self._default, own=False)
        return DesktopQuota(owner=owner, limit=found.body["limit"], own=True)

    async def set(self, owner: str, limit: int | None) -> DesktopQuota:
        """`limit` for this person; None: the default again."""
        if limit is None:
            await self._documents.delete(QUOTAS, owner)
            return await self.get(owner)
        try:
            await self._documents.insert(QUOTAS, owner, {"limit": limit})
        except Conflict:
            found = await self._documents.get(QUOTAS, owner)
            await self._documents.replace(QUOTAS, owner, {"limit": limit}, version=found.version)
        return DesktopQuota(owner=owner, limit=limit, own=True)

    async def check(self, owner: str) -> None:
        """Raises Forbidden when `owner` has as many desktops as may be, those that are being deleted among them."""
        limit = (await self.get(owner)).limit
        if len(await all_of(self._documents, DESKTOPS, {"owner": owner})) >= limit:
            raise Forbidden(f"{owner} may have {limit} desktop{'' if limit == 1 else 's'}, and has as many")
