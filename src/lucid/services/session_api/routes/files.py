"""/api/v1/sessions/{id}/…: what a recording consists of, for those who verify it or open it themselves."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from lucid.base.value import Value
from lucid.model.chunk import ChunkRecord
from lucid.model.permission import Permission
from lucid.ports.api import Caller, requires
from lucid.services.session_api.routes.forms import (
    ABSENT,
    GONE,
    NOT_PROVEN,
    SESSIONS,
    Limit,
    SessionPath,
    content,
    problems,
)
from lucid.services.session_api.service import SessionApi

_JSON = "application/json"
_BYTES = "application/octet-stream"
_TAR = "application/x-tar"
_HIGHEST_INDEX = 2**31 - 1
Index = Annotated[int, Path(ge=0, le=_HIGHEST_INDEX, description="index of the chunk, from 0", examples=[0])]


class ChunkPage(Value):
    """Chunks in order; `next` continues behind them."""

    items: list[ChunkRecord]
    next: int | None


def file_routes(service: SessionApi) -> APIRouter:
    """Routes of a recording's parts; docs/format.md says what they are."""
    router = APIRouter(prefix=SESSIONS, tags=["sessions"])
    library = service.library
    read = requires(Permission.SESSIONS_READ)

    @router.get(
        "/{id}/manifest",
        summary="The manifest",
        operation_id="getManifest",
        response_class=Response,
        responses=content(_JSON, "Canonical JSON (docs/format.md section 4)", _404=GONE, _409=NOT_PROVEN),
        **read,
    )
    async def get_manifest(id: SessionPath, principal: Caller) -> Response:
        """The bytes whose digest is in the log."""
        return Response(await library.manifest(id, principal), media_type=_JSON)

    @router.get(
        "/{id}/chunks", summary="The chunk list", operation_id="listChunks", responses=problems(_404=ABSENT), **read
    )
    async def list_chunks(
        id: SessionPath,
        principal: Caller,
        after: Annotated[int | None, Query(ge=0, le=_HIGHEST_INDEX, description="`next` of the answer before")] = None,
        limit: Limit = 50,
    ) -> ChunkPage:
        """The chunks stored so far."""
        chunks = (await library.session(id, principal)).chunks
        first = 0 if after is None else after + 1
        items = list(chunks[first : first + limit])
        return ChunkPage(items=items, next=items[-1].index if first + limit < len(chunks) else None)

    @router.get(
        "/{id}/chunks/{index}",
        summary="A sealed chunk",
        operation_id="getChunk",
        response_class=Response,
        responses=content(_BYTES, "The chunk's file (docs/format.md section 3)", _404=GONE),
        **read,
    )
    async def get_chunk(id: SessionPath, index: Index, principal: Caller) -> Response:
        """Encrypted; its digest is in the chunk list."""
        return Response(await library.chunk(id, index, principal), media_type=_BYTES)

    @router.get(
        "/{id}/bundle",
        summary="The proof bundle",
        operation_id="getBundle",
        response_class=Response,
        responses=content(_JSON, "Canonical JSON (docs/format.md section 8)", _404=GONE, _409=NOT_PROVEN),
        **read,
    )
    async def get_bundle(id: SessionPath, principal: Caller) -> Response:
        """All that an offline verifier needs besides the log's key and the chunks."""
        return Response(await library.bundle(id, principal), media_type=_JSON)

    @router.get(
        "/{id}/download",
        summary="The whole recording",
        operation_id="downloadSession",
        response_class=StreamingResponse,
        responses=content(_TAR, "bundle.json, log.key, chunks/, and shares.json", _404=GONE, _409=NOT_PROVEN),
        **read,
    )
    async def download_session(id: SessionPath, principal: Caller) -> StreamingResponse:
        """A tar file that `lucid verify` takes once it is unpacked. The export becomes an entry of the log."""
        headers = {"Content-Disposition": f'attachment; filename="lucid-{id}.tar"'}
        return StreamingResponse(await library.archive(id, principal), media_type=_TAR, headers=headers)

    return router
