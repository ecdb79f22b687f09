"""Containers to develop and to test in: the image of tools, with the sources of the checkout."""

from collections.abc import Mapping

from lucid.catalog.types import Network
from lucid.deploy.infrastructure.parts import TO_ROOT, limits
from lucid.deploy.variables import Variable
from lucid.deploy.yamltext import MERGE, Alias, Flow, Node, Noted

DEBUG_PORT = Variable("LUCID_DEBUG_PORT", "5678", "port of this host: the debugger")
API_PORT = Variable("LUCID_DEVELOPMENT_API_PORT", "12080", "port of this host: the API of the development container")
RDP_PORT = Variable("LUCID_DEVELOPMENT_RDP_PORT", "13389", "port of this host: RDP of the development container")

SUITE = ("tests/base", "tests/chain", "tests/crypto", "tests/model", "tests/verify", "tests/wire")
"""What needs nothing but Python and its packages."""

_HOME = "/tmp/home"  # noqa: S108 - the container's own


def development(name: str, image: str, network: Network, *, build: Mapping[str, Node]) -> dict[str, Node]:
    """The platform with live reload and a debugger."""
    reload = ("-m", "lucid.deploy.images.reload", "/opt/lucid/app/lucid")
    debugged = ("/usr/bin/python3", "-m", "debugpy", "--listen", "0.0.0.0:5678", "-m", "lucid", "up")
    return {
        MERGE: Alias("container"),
        **build,
        "image": image,
        "container_name": name,
        "volumes": [_source("src/lucid", "/opt/lucid/app/lucid")],
        "environment": {
            "HOME": _HOME,
            "LUCID_DATA_DIR": f"{_HOME}/data",
            "LUCID_HTTP_HOST": "127.0.0.1",
            "LUCID_HTTP_PORT": "0",
            "LUCID_API_GATEWAY_PUBLIC_HOST": "0.0.0.0",  # noqa: S104 - the container's address
            "LUCID_RDP_CONTROLLER_LISTEN_ADDRESS": "0.0.0.0",  # noqa: S104
            "LUCID_LOG_LEVEL": "DEBUG",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        },
        "ports": Noted(
            "On this host alone: whoever reaches a debugger runs what he likes.",
            [
                {"target": target, "published": str(port), "host_ip": "127.0.0.1"}
                for target, port in ((5678, DEBUG_PORT), (12080, API_PORT), (13389, RDP_PORT))
            ],
        ),
        "networks": Flow([network.name]),
        "entrypoint": Flow(["/usr/bin/python3"]),
        "command": Flow([*reload, *debugged]),
        "healthcheck": {
            "test": Flow(
                ["CMD", "/usr/bin/python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 12080), 5)"]
            ),
            "interval": "30s",
            "timeout": "10s",
            "retries": 3,
            "start_period": "60s",
            "start_interval": "1s",
        },
        **limits(1024, cpus=2.0, pids=512, tmp_mib=256),
    }


def tests_run(name: str, image: str, network: Network, *, build: Mapping[str, Node]) -> dict[str, Node]:
    """The test-suite, run once."""
    return {
        MERGE: Alias("container"),
        "restart": "no",
        **build,
        "image": image,
        "container_name": name,
        "volumes": [
            _source("src/lucid", "/opt/lucid/app/lucid"),
            _source("tests", "/lucid/tests"),
            _source("pyproject.toml", "/lucid/pyproject.toml"),
        ],
        "environment": {"HOME": _HOME, "HYPOTHESIS_STORAGE_DIRECTORY": f"{_HOME}/hypothesis"},
        "networks": Flow([network.name]),
        "entrypoint": Flow(["/usr/bin/python3", "-m", "pytest"]),
        "command": ["-p", "no:cacheprovider", "--basetemp", "/tmp/pytest", *SUITE],  # noqa: S108
        "working_dir": "/lucid",
        "healthcheck": Flow({"disable": True}),
        **limits(1024, cpus=2.0, pids=256, tmp_mib=256),
    }


def _source(path: str, target: str) -> dict[str, Node]:
    return {
        "type": "bind",
        "source": f"{TO_ROOT}/{path}",
        "target": target,
        "read_only": True,
        "bind": Flow({"create_host_path": False}),
    }
