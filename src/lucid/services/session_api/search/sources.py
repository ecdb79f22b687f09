"""Where what can be searched comes from: pages of documents, the newest first, as their owners hold them now."""

from collections.abc import AsyncIterator, Callable

from lucid.base.ids import SessionId
from lucid.model.kept import Kept
from lucid.ports.access import Accounts, Audit, Hosts
from lucid.ports.recording import Pipeline
from lucid.ports.search import Indexed, SearchKind
from lucid.services.session_api.memory import Memory
from lucid.services.session_api.search.kinds import (
    account_document,
    audit_document,
    host_document,
    session_document,
    typed_document,
)

PAGE = 200


class Sources:
    """Reads the owners' stores through their ports."""

    def __init__(self, *, pipeline: Pipeline, memory: Memory, hosts: Hosts, accounts: Accounts, audit: Audit) -> None:
        self._pipeline = pipeline
        self._memory = memory
        self._hosts = hosts
        self._accounts = accounts
        self._audit = audit

    def pages(self, kind: SearchKind) -> AsyncIterator[list[Indexed]]:
        """All documents of a kind. What changes while they are read may be read before or after the change."""
        readers: dict[SearchKind, Callable[[], AsyncIterator[list[Indexed]]]] = {
            "sessions": self._session_pages,
            "typed": self._typed_pages,
            "hosts": self._host_pages,
            "accounts": self._account_pages,
            "audit": self._audit_pages,
        }
        return readers[kind]()

    async def session(self, session: SessionId) -> Indexed:
        """Raises NotFound."""
        found = await self._pipeline.get(session=session)
        return session_document(found, await self._memory.get(session))

    async def _session_pages(self) -> AsyncIterator[list[Indexed]]:
        after = None
        while page := await self._pipeline.list(after=after, limit=PAGE):
            kept = await self._memory.of([session.id for session in page])
            yield [session_document(session, kept.get(session.id) or Kept(session=session.id)) for session in page]
            after = page[-1].id

    async def typed(self, session: SessionId) -> list[Indexed]:
        """The newest of what was typed in the session."""
        found = await self._pipeline.typed_text(session=session, newest_first=True, limit=PAGE)
        return [typed_document(text) for text in found]

    async def forgotten(self, kind: SearchKind, documents: list[Indexed]) -> list[str]:
        """Ids of typed text whose recording's deletion is decided. To be asked for, and taken out, after it was put:
        the deletion may have looked into the index between reading and putting."""
        if kind != "typed":
            return []
        sessions = {str(document.body["session"]) for document in documents}
        known = await self._memory.of(sorted(sessions))
        deleted = {session for session, kept in known.items() if kept.deletion is not None}
        return [document.id for document in documents if document.body["session"] in deleted]

    async def _typed_pages(self) -> AsyncIterator[list[Indexed]]:
        after = None
        while page := await self._pipeline.typed_text(after=after, newest_first=True, limit=PAGE):
            yield [typed_document(text) for text in page]
            after = page[-1].id

    async def _host_pages(self) -> AsyncIterator[list[Indexed]]:
        hosts = await self._hosts.list()
        for first in range(0, len(hosts), PAGE):
            yield [host_document(host) for host in hosts[first : first + PAGE]]

    async def _account_pages(self) -> AsyncIterator[list[Indexed]]:
        after = None
        while page := await self._accounts.list(after=after, limit=PAGE):
            yield [account_document(account) for account in page]
            after = page[-1].name

    async def _audit_pages(self) -> AsyncIterator[list[Indexed]]:
        after = None
        while page := await self._audit.events(after=after, newest_first=True, limit=PAGE):
            yield [audit_document(event) for event in page]
            after = page[-1].id
