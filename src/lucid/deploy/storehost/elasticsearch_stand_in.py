"""A stand-in for Elasticsearch, for tests: noida-db, behind a door that asks for the password, which it does not do."""

import asyncio
import base64
import hmac
import importlib.util
import signal
import sys
from pathlib import Path

from aiohttp import ClientError, ClientSession, DummyCookieJar, web
from yarl import URL

from lucid.deploy.storehost.common import main, password
from lucid.deploy.storehost.elasticsearch import PASSWORD, PORT, USER, probe

DATA = Path("/usr/share/elasticsearch/data")
BEHIND = 9201
BODY_BYTES = 100 * 1024 * 1024
"""The largest request that Elasticsearch takes."""
UPSTREAM = web.AppKey("upstream", ClientSession)
BEHIND_URL = web.AppKey("behind", str)
SECRET = web.AppKey("secret", bytes)
_HOP_HEADERS = {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}


def server(data: Path = DATA, port: int = BEHIND) -> list[str]:
    """What starts noida-db on the loopback address."""
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        sys.exit("noida-db is not installed")
    program = str(Path(spec.origin).with_name("noida-db"))
    options = ["--data-dir", str(data), "--only", "elasticsearch", "--elasticsearch-port", str(port)]
    return [program, "start", *options]


async def relay(request: web.Request) -> web.Response:
    """Pass a request on, if it has the password."""
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, request.app[SECRET]):
        return web.json_response({"status": 401}, status=401, headers={"WWW-Authenticate": 'Basic realm="security"'})
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
    body = await request.read()
    try:
        url = URL(request.app[BEHIND_URL] + request.raw_path, encoded=True)
        async with request.app[UPSTREAM].request(request.method, url, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
            return web.Response(body=await answer.read(), status=answer.status, headers=kept)
    except ClientError as error:
        return web.json_response({"status": 503, "error": str(error)}, status=503)


def application(secret: str, behind: str) -> web.Application:
    """The door to the server at the address `behind`."""
    app = web.Application(client_max_size=BODY_BYTES)
    app[BEHIND_URL] = behind
    app[SECRET] = b"Basic " + base64.b64encode(f"{USER}:{secret}".encode())
    app.router.add_route("*", "/{path:.*}", relay)

    async def upstream(app: web.Application) -> None:
        app[UPSTREAM] = ClientSession(cookie_jar=DummyCookieJar())

    async def close(app: web.Application) -> None:
        await app[UPSTREAM].close()

    app.on_startup.append(upstream)
    app.on_cleanup.append(close)
    return app


async def serve(secret: str) -> None:
    """Run both until the server ends or the container is stopped."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    child = await asyncio.create_subprocess_exec(*server(), cwd=DATA)
    runner = web.AppRunner(application(secret, f"http://127.0.0.1:{BEHIND}"), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", PORT).start()  # noqa: S104 - the container's address
    ended = asyncio.ensure_future(child.wait())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
    await runner.cleanup()
    if not ended.done():
        child.terminate()
    status = await ended
    stopped.cancel()
    if not stop.is_set():
        sys.exit(f"noida-db ended by itself ({status})")


def start() -> None:
    asyncio.run(serve(password(PASSWORD)))


if __name__ == "__main__":
    main(start, probe)
