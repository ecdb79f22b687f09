"""Listening sockets for HTTP servers on the event loop."""

import socket

from lucid.base.errors import InvalidInput

BACKLOG = 512


def listen(host: str, port: int, *, advice: str = "") -> socket.socket:
    """A socket that accepts already. Raises InvalidInput, which ends with `advice`, when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it a small answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InvalidInput(f"cannot listen on {host}:{port}: {error.strerror}{advice}") from None
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener
