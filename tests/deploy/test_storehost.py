"""What starts and probes the stores in their containers."""

import asyncio
import base64
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from yarl import URL

from lucid.deploy.storehost import common, elasticsearch, elasticsearch_stand_in, mongodb, redis

SECRET = 'p4ss"w\\rd'


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (redis.PASSWORD, mongodb.PASSWORD, elasticsearch.PASSWORD):
        (tmp_path / name).write_text(f"{SECRET}\n")
    monkeypatch.setattr(common.password, "__defaults__", (tmp_path,))
    return tmp_path


def test_a_password_is_a_line_of_a_file(secrets: Path) -> None:
    assert common.password(redis.PASSWORD) == SECRET


@pytest.mark.parametrize("text", ["", "\n", "two\nlines"])
def test_a_password_that_is_none_ends_the_container(tmp_path: Path, text: str) -> None:
    (tmp_path / "p").write_text(text)
    with pytest.raises(SystemExit, match="expected one line"):
        common.password("p", tmp_path)


def test_a_missing_password_ends_the_container(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="No such file"):
        common.password("p", tmp_path)


def test_private_files_are_the_owners_alone_even_when_there_was_one_before(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("old")
    (tmp_path / "conf").chmod(0o644)
    path = common.write_private(tmp_path / "conf", "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)


def test_redis_takes_its_password_from_a_file_not_from_an_argument(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(redis, "TEMPORARY", tmp_path)
    monkeypatch.setattr(redis, "become", started.append)
    redis.start()
    assert started == [[redis.SERVER, str(tmp_path / "redis.conf")]]
    assert 'requirepass "p4ss\\"w\\\\rd"\n' in (tmp_path / "redis.conf").read_text()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (b"+OK\r\n+PONG\r\n", ""),
        (b"-WRONGPASS invalid\r\n", "-WRONGPASS invalid"),
        (b"+OK\r\n-LOADING\r\n", "-LOADING"),
        (b"", "the connection was closed"),
    ],
)
async def test_redis_is_probed_with_its_password(secrets: Path, answers: bytes, reason: str) -> None:
    asked = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set_result(await reader.readuntil(b"PING\r\n"))
        writer.write(answers)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.to_thread(redis.probe, ("127.0.0.1", port)) == reason
        assert SECRET.encode() in await asked


def test_redis_that_is_not_there_is_not_ready(secrets: Path) -> None:
    assert redis.probe(("127.0.0.1", 1)).startswith("port 1:")


@pytest.mark.parametrize("server", mongodb.SERVERS.values())
def test_mongodb_is_open_to_itself_alone_until_it_has_its_password(server: Callable[..., list[str]]) -> None:
    private, public = server(private=True), server(private=False)
    assert "--auth" not in private
    assert "127.0.0.1" in private
    assert "--auth" in public
    assert SECRET not in " ".join((*private, *public))


def test_mongodb_sets_the_password_once_for_each_password(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    started: list[list[str]] = []
    monkeypatch.setattr(mongodb, "DATA", tmp_path)
    monkeypatch.setattr(mongodb, "prepare", lambda argv, secret: prepared.append(secret))
    monkeypatch.setattr(mongodb, "become", started.append)
    mongodb.start()
    mongodb.start()
    (secrets / mongodb.PASSWORD).write_text("another")
    mongodb.start()
    assert prepared == [SECRET, "another"]
    assert len(started) == 3
    assert SECRET not in (tmp_path / ".lucid-password-set").read_text()


def test_elasticsearch_gets_its_password_over_standard_input(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own programs are played by one that notes what it was given."""
    note = tmp_path / "note"
    java = tmp_path / "home/jdk/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\n"
        f"with open({str(note)!r}, 'a') as f: f.write(repr((sys.argv[-1], sys.stdin.read())) + '\\n')\n"
    )
    java.chmod(0o755)
    (tmp_path / "home/config").mkdir()
    (tmp_path / "home/config/jvm.options").write_text("")
    started: list[list[str]] = []
    monkeypatch.setattr(elasticsearch, "HOME", tmp_path / "home")
    monkeypatch.setattr(elasticsearch, "CONFIGURATION", tmp_path / "config")
    monkeypatch.setattr(elasticsearch, "become", lambda argv, environment: started.append(argv))
    elasticsearch.start()
    assert note.read_text().splitlines() == [repr(("create", "")), repr(("bootstrap.password", SECRET))]
    assert "xpack.security.enabled: true" in (tmp_path / "config/elasticsearch.yml").read_text()
    assert SECRET not in " ".join(started[0])


class _Health(BaseHTTPRequestHandler):
    answer: tuple[int, dict[str, str]] = (200, {"status": "yellow"})

    def do_GET(self) -> None:
        expected = "Basic " + base64.b64encode(f"elastic:{SECRET}".encode()).decode()
        status, body = self.answer if self.headers["Authorization"] == expected else (401, {})
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def cluster() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, {"status": "green"}), ""),
        ((200, {"status": "yellow"}), ""),
        ((200, {"status": "red"}), "the cluster is red"),
        ((503, {}), "status 503"),
    ],
)
def test_elasticsearch_is_ready_when_its_cluster_is(
    secrets: Path, cluster: HTTPServer, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, dict[str, str]], reason: str
) -> None:
    monkeypatch.setattr(_Health, "answer", answer)
    assert elasticsearch.probe(cluster.server_port).endswith(reason)
    assert bool(elasticsearch.probe(cluster.server_port)) == bool(reason)


async def test_the_stand_in_asks_for_the_password() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"path": request.raw_path, "body": (await request.read()).decode()}, status=201)

    behind = web.Application()
    behind.router.add_route("*", "/{path:.*}", echo)
    async with TestServer(behind) as server:
        door = elasticsearch_stand_in.application(SECRET, str(server.make_url("/")).rstrip("/"))
        async with TestServer(door) as front, ClientSession() as client:
            url = URL(f"http://127.0.0.1:{front.port}/index%2Fx/_search?q=a%2Fb", encoded=True)
            async with client.post(url, data=b"body") as answer:
                assert answer.status == 401
            headers = {"Authorization": "Basic " + base64.b64encode(f"elastic:{SECRET}".encode()).decode()}
            async with client.post(url, data=b"body", headers=headers) as answer:
                assert answer.status == 201
                assert await answer.json() == {"path": "/index%2Fx/_search?q=a%2Fb", "body": "body"}
