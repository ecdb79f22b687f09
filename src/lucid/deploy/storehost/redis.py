"""Redis: started with a configuration that holds its password, probed with AUTH and PING."""

import socket

from lucid.deploy.storehost.common import TEMPORARY, become, main, password, write_private

SERVER = "/usr/bin/redis-server"
PASSWORD = "redis-password"  # noqa: S105 - the file's name
PORT = 6379
LIMIT_S = 5.0


def configuration(secret: str) -> str:
    """The whole of redis.conf. Memory is bounded below that of the container, so that Redis says when it is full."""
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    return f"""\
bind 0.0.0.0
port {PORT}
protected-mode no
requirepass "{quoted}"
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory 96mb
maxmemory-policy noeviction
daemonize no
"""


def command(*words: str) -> bytes:
    """A command in the Redis protocol (RESP)."""
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def start() -> None:
    become([SERVER, str(write_private(TEMPORARY / "redis.conf", configuration(password(PASSWORD))))])


def probe(address: tuple[str, int] = ("127.0.0.1", PORT)) -> str:
    """Why Redis does not answer, or nothing. While it loads its data it answers, but not with PONG."""
    try:
        with socket.create_connection(address, timeout=LIMIT_S) as connection:
            connection.sendall(command("AUTH", password(PASSWORD)) + command("PING"))
            with connection.makefile("rb") as answers:
                for expected in (b"+OK", b"+PONG"):
                    if (answer := answers.readline().strip()) != expected:
                        return answer.decode(errors="replace") or "the connection was closed"
    except OSError as error:
        return f"port {address[1]}: {error}"
    return ""


if __name__ == "__main__":
    main(start, probe)
