"""Is the service in this container ready? `python3 -m lucid.healthcheck` ends with 0 if it is, else with 1 and why.

It asks the service's own `/ready`, which checks what the service cannot do without. While containers start it runs
every second in each of them, so it speaks the little HTTP that it needs itself: loading `http.client` takes longer than
all the rest.
"""

import os
import socket
import sys

LIMIT_S = 8.0
"""Less than the 10 s after which the container engine gives the check up."""

OK = 200
_REQUEST = b"GET /ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
"""Of version 1.0, so that the answer comes in one piece, up to the end of the connection."""

_ANSWER_BYTES = 65_536


def main() -> int:
    """Print the service's answer and return the exit status."""
    port = os.environ.get("LUCID_HTTP_PORT", "")
    if not port.isdecimal():
        print("LUCID_HTTP_PORT: expected the port of the service")  # noqa: T201 - shown by `docker inspect`
        return 1
    try:
        status, body = ready(int(port))
    except (OSError, ValueError) as error:
        print(f"port {port}: {type(error).__name__}: {error}")  # noqa: T201
        return 1
    print(body)  # noqa: T201
    return 0 if status == OK else 1


def ready(port: int) -> tuple[int, str]:
    """Status and text of the service's answer. Raises OSError when there is none, ValueError for another one than
    HTTP's."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
        connection.sendall(_REQUEST)
        answer = b"".join(iter(lambda: connection.recv(_ANSWER_BYTES), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    version, _, status = head.partition(b"\r\n")[0].partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("expected an answer in HTTP")
    return int(status[:3]), body.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
