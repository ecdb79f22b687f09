"""The readiness check of containers, as the engine runs it: a process that says why and ends with 0 or 1."""

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = {"/ready": self.server.server_name}  # type: ignore[attr-defined]
        self.send_response(int(status.get(self.path, "404")))
        self.end_headers()
        self.wfile.write(b'{"failed": {"documents": "MongoDB is away"}}')

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def service() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(port: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lucid.healthcheck"],
        env={**os.environ, "LUCID_HTTP_PORT": port},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(("answer", "expected"), [("200", 0), ("503", 1), ("404", 1)])
def test_it_ends_as_the_service_answers(service: http.server.HTTPServer, answer: str, expected: int) -> None:
    service.server_name = answer
    done = check(str(service.server_port))
    assert done.returncode == expected
    assert "MongoDB is away" in done.stdout
    assert not done.stderr


def test_nobody_listens(service: http.server.HTTPServer) -> None:
    service.shutdown()
    service.server_close()
    done = check(str(service.server_port))
    assert done.returncode == 1
    assert "ConnectionRefusedError" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_an_answer_of_another_protocol() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer, args=(listener, b"SSH-2.0-x\r\n"))
        thread.start()
        done = check(str(listener.getsockname()[1]))
        thread.join()
    assert done.returncode == 1
    assert "expected an answer in HTTP" in done.stdout


def _answer(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(answer)


def test_no_port_is_given() -> None:
    assert check("").returncode == 1


def test_it_loads_nothing_but_the_standard_library() -> None:
    code = "import sys, lucid.healthcheck; print(*sys.modules)"
    loaded = {
        name.partition(".")[0] for name in subprocess.check_output([sys.executable, "-c", code], text=True).split()
    }
    assert not loaded & {"pydantic", "structlog", "httpx", "typer"}
