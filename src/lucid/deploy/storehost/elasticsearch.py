"""Elasticsearch: started without its shell scripts, with a configuration in memory and a keystore for its password.

The commands are those that `bin/elasticsearch` and `bin/elasticsearch-keystore` come down to in Elasticsearch 8 and 9.
"""

import base64
import http.client
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lucid.deploy.storehost.common import TEMPORARY, become, main, password

HOME = Path("/usr/share/elasticsearch")
CONFIGURATION = TEMPORARY / "elasticsearch"
PASSWORD = "elasticsearch-password"  # noqa: S105 - the file's name
USER = "elastic"
PORT = 9200
LIMIT_S = 8.0

SETTINGS = f"""\
cluster.name: lucid
discovery.type: single-node
network.host: 0.0.0.0
http.port: {PORT}
xpack.security.enabled: true
xpack.security.enrollment.enabled: false
xpack.security.http.ssl.enabled: false
xpack.security.transport.ssl.enabled: false
xpack.ml.enabled: false
ingest.geoip.downloader.enabled: false
"""
HEAP = "-Xms512m -Xmx512m"
"""Half of what the container may use: the rest is for files that Lucene maps into memory."""


def tool(name: str, libraries: str, *arguments: str) -> list[str]:
    """One of Elasticsearch's own programs."""
    return [
        str(HOME / "jdk/bin/java"),
        *("-Xms4m", "-Xmx64m", "-XX:+UseSerialGC"),
        *(f"-Dcli.name={name}", f"-Dcli.script={HOME}/bin/elasticsearch", f"-Dcli.libs={libraries}"),
        *(f"-Des.path.home={HOME}", f"-Des.path.conf={CONFIGURATION}", "-Des.distribution.type=docker"),
        *("-cp", f"{HOME}/lib/*:{HOME}/lib/cli-launcher/*", "org.elasticsearch.launcher.CliToolLauncher"),
        *arguments,
    ]


def environment() -> dict[str, str]:
    return {
        "ES_PATH_CONF": str(CONFIGURATION),
        "ES_TMPDIR": str(TEMPORARY),
        "ES_JAVA_OPTS": os.environ.get("ES_JAVA_OPTS", HEAP),
    }


def start() -> None:
    secret = password(PASSWORD)
    shutil.rmtree(CONFIGURATION, ignore_errors=True)
    shutil.copytree(HOME / "config", CONFIGURATION)
    (CONFIGURATION / "elasticsearch.yml").write_text(SETTINGS)
    add = ("add", "--stdin", "--force", "bootstrap.password")
    for arguments in (("create",), add):
        done = subprocess.run(
            tool("keystore", "lib/tools/keystore-cli", *arguments),
            env={**os.environ, **environment()},
            input=secret if arguments is add else "",
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"the keystore could not be made ({' '.join(arguments)}: {done.returncode})")
    become(tool("server", "lib/tools/server-cli"), environment())


def probe(port: int = PORT) -> str:
    """Why the cluster is not ready, or nothing. Yellow is ready: one node holds no second copies."""
    credentials = base64.b64encode(f"{USER}:{password(PASSWORD)}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/_cluster/health", headers={"Authorization": f"Basic {credentials}"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            return f"port {port}: status {answer.status}"
        status = json.loads(body).get("status")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"port {port}: {type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if status in ("green", "yellow") else f"the cluster is {status}"


if __name__ == "__main__":
    main(start, probe)
