"""Recordings for those who may see them: state, manifest, chunks, proofs, everything in one archive."""

import asyncio
import tarfile
from collections.abc import AsyncIterator

from lucid.base.errors import Conflict, NotFound
from lucid.base.ids import SessionId
from lucid.model.bundle import Bundle
from lucid.model.kept import Kept, gone, shares_of
from lucid.model.permission import Permission
from lucid.model.principal import Principal
from lucid.model.session import Session, SessionState
from lucid.ports.log import Anchoring, DataChain, LogWriter
from lucid.ports.recording import Pipeline, Storage
from lucid.services.session_api.memory import Memory

_TAR_BLOCK = 512


class Library:
    """Reads sessions on behalf of a person. Other people's sessions are unknown to who may not see all."""

    def __init__(
        self,
        *,
        memory: Memory,
        pipeline: Pipeline,
        anchoring: Anchoring,
        bodies: DataChain,
        storage: Storage,
        log: LogWriter,
        proof_wait_s: float,
    ) -> None:
        self._memory = memory
        self._pipeline = pipeline
        self._anchoring = anchoring
        self._bodies = bodies
        self._storage = storage
        self._log = log
        self._proof_wait_s = proof_wait_s

    async def session(self, session: SessionId, principal: Principal) -> Session:
        """Raises NotFound, also for somebody else's session."""
        found = await self._pipeline.get(session=session)
        if found.user != principal.user and not principal.may(Permission.SESSIONS_READ_ALL):
            raise NotFound(f"no session {session}")
        return found

    async def kept(self, session: SessionId) -> Kept:
        return await self._memory.get(session)

    async def whole(self, session: SessionId, principal: Principal) -> Session:
        """A proven session whose recording is there. Raises NotFound for a deleted one, Conflict before."""
        found = await self.session(session, principal)
        await self._check_there(session)
        if found.state is not SessionState.PROVEN or found.manifest is None:
            raise Conflict(f"the session is {found.state}, not proven yet")
        return found

    async def manifest(self, session: SessionId, principal: Principal) -> bytes:
        """Canonical JSON. Raises as `whole` does."""
        found = await self.whole(session, principal)
        assert found.manifest is not None
        return await self._bodies.get(digest=found.manifest)

    async def chunk(self, session: SessionId, index: int, principal: Principal) -> bytes:
        """The sealed chunk's file. Raises NotFound when there is none of that index (yet, or any more)."""
        found = await self.session(session, principal)
        await self._check_there(session)
        if index >= len(found.chunks):
            raise NotFound(f"session {session} has no chunk {index}")
        return await self._storage.get(digest=found.chunks[index].digest)

    async def bundle(self, session: SessionId, principal: Principal) -> bytes:
        """The proof bundle. Raises as `whole` does, and Unavailable while the log has not published it."""
        await self.whole(session, principal)
        return await self._anchoring.bundle(session=session, wait_s=self._proof_wait_s)

    async def shares(self, session: SessionId) -> bytes | None:
        """The file with the keys of further recipients; None when there are none."""
        shares = shares_of(await self._memory.get(session))
        return None if shares is None else shares.to_bytes()

    async def archive(self, session: SessionId, principal: Principal) -> AsyncIterator[bytes]:
        """A tar file of what `lucid session export` writes, chunk by chunk. All that may be refused is refused before
        it begins; what fails later breaks it off before its end marker."""
        bundle = await self.bundle(session, principal)
        key = (await self._log.status()).key + "\n"
        shares = await self.shares(session)
        await self._anchoring.act(type="recording.exported", subject={"actor": principal.user}, session=session)
        listed = (await asyncio.to_thread(Bundle.from_bytes, bundle)).chunks
        folder = f"lucid-{session}"

        async def parts() -> AsyncIterator[bytes]:
            yield _tar_member(f"{folder}/bundle.json", bundle)
            yield _tar_member(f"{folder}/log.key", key.encode())
            if shares is not None:
                yield _tar_member(f"{folder}/shares.json", shares)
            for chunk in listed:
                data = await self._storage.get(digest=chunk.digest)
                yield await asyncio.to_thread(_tar_member, f"{folder}/chunks/{chunk.digest}", data)
            yield _folder(f"{folder}/chunks") + bytes(2 * _TAR_BLOCK)

        return parts()

    async def _check_there(self, session: SessionId) -> None:
        kept = await self._memory.get(session)
        if kept.deletion is not None:
            raise NotFound(gone(kept.deletion))


def _tar_member(name: str, data: bytes) -> bytes:
    """A file of a tar archive (POSIX ustar), padded to whole blocks."""
    about = tarfile.TarInfo(name)
    about.size = len(data)
    about.mode = 0o600
    return b"".join((about.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % _TAR_BLOCK)))


def _folder(name: str) -> bytes:
    """A folder, so that one without files is there as well."""
    about = tarfile.TarInfo(name)
    about.type = tarfile.DIRTYPE
    about.mode = 0o700
    return about.tobuf(tarfile.USTAR_FORMAT)
