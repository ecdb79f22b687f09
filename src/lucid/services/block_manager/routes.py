"""The log for everybody: the static files of C2SP tlog-tiles, and the blocks and the key beside them."""

from fastapi import APIRouter, Response

from lucid.base.errors import NotFound
from lucid.chain.tiles import TileName
from lucid.model.tlog import block_path
from lucid.services.block_manager.service import BlockManager

_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_NEWEST = {"Cache-Control": "no-cache"}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def routes(manager: BlockManager, key: str) -> APIRouter:
    """`key` is the log's vkey. Checkpoints change; everything else never does once it is there."""
    router = APIRouter()

    @router.get("/checkpoint")
    async def checkpoint() -> Response:
        note = (await manager.state()).checkpoint
        if not note:
            raise NotFound("the log is empty: it has no checkpoint yet")
        return Response(note, media_type=_TEXT, headers=_NEWEST)

    @router.get("/key")
    async def verifier_key() -> Response:
        return Response(key + "\n", media_type=_TEXT, headers=_NEWEST)

    @router.get("/tile/{rest:path}")
    async def tile(rest: str) -> Response:
        path = f"tile/{rest}"
        return Response(await manager.tile(path=path), media_type=_BYTES, headers=_FOREVER)

    @router.get("/block/{rest:path}")
    async def block(rest: str) -> Response:
        height = TileName.parse(f"tile/0/{rest}").number
        if block_path(height) != f"block/{rest}":
            raise NotFound(f"not the path of a block: block/{rest[:80]}")
        return Response(await manager.block(height=height), media_type=_TEXT, headers=_FOREVER)

    return router
