"""The log for everybody: the static files of C2SP tlog-tiles, and the blocks and the key beside them."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lucid.base.errors import NotFound
from lucid.chain.tiles import TileName
from lucid.model.tlog import block_path
from lucid.services.block_manager.service import BlockManager

_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_NEWEST = {"Cache-Control": "no-cache"}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def routes(manager: BlockManager, key: str) -> list[Route]:
    """`key` is the log's vkey. Checkpoints change; everything else never does once it is there."""

    async def checkpoint(_: Request) -> Response:
        note = (await manager.state()).checkpoint
        if not note:
            raise NotFound("the log is empty: it has no checkpoint yet")
        return Response(note, media_type=_TEXT, headers=_NEWEST)

    async def verifier_key(_: Request) -> Response:
        return Response(key + "\n", media_type=_TEXT, headers=_NEWEST)

    async def tile(request: Request) -> Response:
        path = f"tile/{request.path_params['rest']}"
        return Response(await manager.tile(path=path), media_type=_BYTES, headers=_FOREVER)

    async def block(request: Request) -> Response:
        rest: str = request.path_params["rest"]
        height = TileName.parse(f"tile/0/{rest}").number
        if block_path(height) != f"block/{rest}":
            raise NotFound(f"not the path of a block: block/{rest[:80]}")
        return Response(await manager.block(height=height), media_type=_TEXT, headers=_FOREVER)

    return [
        Route("/checkpoint", checkpoint),
        Route("/key", verifier_key),
        Route("/tile/{rest:path}", tile),
        Route("/block/{rest:path}", block),
    ]
