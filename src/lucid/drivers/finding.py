"""The search of the port Documents as far as it is the same for all databases."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from lucid.base.errors import InvalidInput
from lucid.ports.stores import Stored

Where = Mapping[str, str | int | bool | list[str]]

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Search:
    """What `Documents.find` was asked for; the names in `where` may stand in a query's text."""

    collection: str
    where: Where
    after: str | None
    newest_first: bool
    limit: int

    @property
    def selective(self) -> str | None:
        """The field that has an index: callers name the most selective one first, and one index serves the query."""
        return next(iter(self.where), None)


class Finding(ABC):
    """A driver of Documents that answers a checked Search."""

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        after: str | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> list[Stored]:
        """Raises InvalidInput for a name that is no top-level field."""
        search = Search(collection, where or {}, after, newest_first, limit)
        for name in search.where:
            if not _FIELD.fullmatch(name):
                raise InvalidInput(f"where: not the name of a top-level field: {name[:80]!r}", field="where")
        return await self._find(search) if limit >= 1 else []

    @abstractmethod
    async def _find(self, search: Search) -> list[Stored]: ...
