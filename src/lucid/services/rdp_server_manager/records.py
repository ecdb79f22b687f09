"""The service's collections of documents."""

from collections.abc import Mapping

from lucid.ports.stores import Documents, Stored

HOSTS = "hosts"
DESKTOPS = "desktops"
QUOTAS = "desktop-quotas"
_PAGE = 500


async def all_of(
    documents: Documents, collection: str, where: Mapping[str, str | int | bool | list[str]]
) -> list[Stored]:
    """All documents whose fields equal `where`, by id."""
    found: list[Stored] = []
    after = None
    while page := await documents.find(collection, where, after=after, limit=_PAGE):
        found += page
        after = page[-1].id
    return found
