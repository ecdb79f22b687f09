"""MongoDB: its user `lucid` is made before the server listens to anybody else, with the password of the mounted file.

The server is first run on the loopback address alone, without authentication, to create the user or to give it a new
password; then it is started anew with authentication. That first run is left out while the password is the one that was
set last. With LUCID_STORE_SERVER=secantusdb the same is done with SecantusDB, a stand-in for tests.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from lucid.deploy.storehost.common import become, main, password, write_private

PASSWORD = "mongodb-password"  # noqa: S105 - the file's name
USER = "lucid"
ROLES = ["readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor"]
DATA = Path("/data/db")
PORT = 27017
LOOPBACK_PORT = 27117
START_LIMIT_S = 60
PROBE_LIMIT_MS = 5000
USER_EXISTS = 51_003
"""MongoDB's error code."""


def mongod(*, private: bool) -> list[str]:
    """How MongoDB is started: `private` on the loopback address without authentication, else for all."""
    shared = ["/usr/bin/mongod", "--dbpath", str(DATA), "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"]
    if private:
        return [*shared, "--bind_ip", "127.0.0.1", "--port", str(LOOPBACK_PORT)]
    return [*shared, "--bind_ip", "0.0.0.0", "--port", str(PORT), "--auth"]  # noqa: S104 - the container's address


def secantusdb(*, private: bool) -> list[str]:
    """The same for the stand-in."""
    shared = [sys.executable, "-m", "secantus", "--storage-path", str(DATA), "--standalone", "--cache-size", "128M"]
    if private:
        return [*shared, "--host", "127.0.0.1", "--port", str(LOOPBACK_PORT)]
    return [*shared, "--host", "0.0.0.0", "--port", str(PORT), "--auth"]  # noqa: S104 - the container's address


SERVERS = {"mongod": mongod, "secantusdb": secantusdb}


def set_password(client: "MongoClient[dict[str, object]]", secret: str) -> None:
    """Create the user, or give it this password. Raises PyMongoError."""
    roles = [{"role": role, "db": "admin"} for role in ROLES]
    try:
        client.admin.command("createUser", USER, pwd=secret, roles=roles)
    except OperationFailure as error:
        if error.code != USER_EXISTS:
            raise
        client.admin.command("updateUser", USER, pwd=secret, roles=roles)


def prepare(argv: list[str], secret: str) -> None:
    """Run the server privately and set the password. Ends the container when the server does not come up."""
    server = subprocess.Popen(argv)
    try:
        with MongoClient[dict[str, object]](
            "127.0.0.1", LOOPBACK_PORT, directConnection=True, serverSelectionTimeoutMS=START_LIMIT_S * 1000
        ) as client:
            set_password(client, secret)
    except PyMongoError as error:
        sys.exit(f"the user {USER} could not be made: {error}")
    finally:
        server.terminate()
        server.wait()


def start() -> None:
    secret = password(PASSWORD)
    server = SERVERS[os.environ.get("LUCID_STORE_SERVER", "mongod")]
    done = DATA / ".lucid-password-set"
    digest = hashlib.scrypt(secret.encode(), salt=b"lucid mongodb", n=2**14, r=8, p=1).hex()
    if not (done.is_file() and done.read_text() == digest):
        prepare(server(private=True), secret)
        write_private(done, digest)
    become(server(private=False))


def probe(address: str = "127.0.0.1", port: int = PORT) -> str:
    """Why MongoDB does not answer its user, or nothing."""
    try:
        with MongoClient[dict[str, object]](
            address,
            port,
            username=USER,
            password=password(PASSWORD),
            authSource="admin",
            directConnection=True,
            serverSelectionTimeoutMS=PROBE_LIMIT_MS,
        ) as client:
            client.admin.command("ping")
            client.lucid.list_collection_names()
    except PyMongoError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(start, probe)
