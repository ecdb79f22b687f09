"""What all containers share: the blocks `x-…` at the head of each Compose file, and of the Swarm stack."""

from lucid.catalog.types import Container
from lucid.deploy import variables
from lucid.deploy.yamltext import Anchor, Flow, Node, Noted

KEYS_DIR = "/run/lucid/keys"
PUBLIC_KEYS_DIR = "/run/lucid/public-keys"
LOGS_DIR = "/logs"
PROBE = ("CMD", "/usr/bin/python3", "-m", "lucid.healthcheck")
INTERVAL_S, TIMEOUT_S, RETRIES = 30, 10, 3
"""Of the readiness check, as the spec of the deployment says."""
RESTART = "unless-stopped"
LOG_DRIVER = "json-file"
LOG_OPTIONS = {"max-size": "10m", "max-file": "3", "tag": "{{.Name}}"}
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - of the container, which is on networks of its own
NAME_LOOKUPS = "timeout:2 attempts:2"
"""For the C library, resolv.conf(5): 4 s at most, where its default may take longer than a container has to stop."""
LOOKUP_THREADS = "16"
"""For libuv, which looks names up in half of them: with its own 4, two names of containers that are gone hold up all
others, and a stop waits for one pair after the other."""
STOP_GRACE_S = 10
"""What a container has to stop, in seconds, before the engine kills it."""
STOP_S = "8"
"""What a service gives itself."""
USUAL = Container()
"""A container without an exception."""

_SECCOMP = variables.SECCOMP.name


def compose_blocks() -> dict[str, Node]:
    """For Compose files."""
    return {
        "x-container": Noted(
            "What all containers share. An exception stands at its container, with its reason.",
            Anchor(
                "container",
                {
                    "platform": str(variables.PLATFORM),
                    "restart": RESTART,
                    **restrictions(),
                    "security_opt": Noted(
                        "The second repeats the first, with Docker's own seccomp profile, unless LUCID_SECCOMP is set.",
                        ["no-new-privileges:true", f"${{{_SECCOMP}:+seccomp=}}${{{_SECCOMP}:-no-new-privileges}}"],
                    ),
                    "ipc": "private",
                },
            ),
        ),
        "x-environment": environment(),
        "x-healthcheck": healthcheck(),
        "x-public-keys": Noted(
            "The public halves of all keys: by them services know each other.",
            Anchor("public-keys", bind(str(variables.PUBLIC_KEYS_DIR), PUBLIC_KEYS_DIR, read_only=True)),
        ),
    }


def restrictions() -> dict[str, Node]:
    """What Compose and Swarm both put into effect."""
    return {
        "user": USUAL.user,
        "read_only": USUAL.read_only,
        "cap_drop": Flow(["ALL"]),
        "init": True,
        "ulimits": {"nofile": Flow({"soft": 16384, "hard": 16384}), "core": 0},
        "stop_grace_period": f"{STOP_GRACE_S}s",
        "logging": {
            "driver": LOG_DRIVER,
            "options": Flow(LOG_OPTIONS),
        },
    }


def healthcheck() -> Node:
    """The readiness check of Python services."""
    return Noted(
        "Readiness, not mere life: the service's own port and what it cannot do without answer. While a container\n"
        "starts it is asked every second, so that a phase does not wait 30 s for nothing.",
        Anchor(
            "healthcheck",
            {
                "test": Flow(list(PROBE)),
                "interval": f"{INTERVAL_S}s",
                "timeout": f"{TIMEOUT_S}s",
                "retries": RETRIES,
                "start_period": f"{USUAL.start_period_s}s",
                "start_interval": "1s",
            },
        ),
    )


def environment() -> Node:
    """What all services are told."""
    return Noted(
        "What all services are told. Nothing secret: passwords and keys are files, of those alone who need them.\n"
        "Below, a variable without a value is passed on when an environment file sets it: a service's own settings.\n"
        "RES_OPTIONS: the name of a container that is gone is asked of the host's name servers, which may not answer;\n"
        "a stop does not last longer than stop_grace_period for that. UV_THREADPOOL_SIZE: twice as many as names are\n"
        "looked up at once, so that those do not hold up others. LUCID_STOP_S: what has not ended by then cuts its\n"
        "end short and says so, before the engine would kill it.",
        Anchor(
            "environment",
            {
                "LUCID_DATA_DIR": USUAL.data_dir,
                "LUCID_HTTP_HOST": ANY_ADDRESS,
                "LUCID_KEYS_DIR": KEYS_DIR,
                "LUCID_PUBLIC_KEYS_DIR": PUBLIC_KEYS_DIR,
                "LUCID_LOG_FORMAT": "json",
                "LUCID_LOG_DIR": LOGS_DIR,
                "LUCID_STOP_S": STOP_S,
                **{variable.name: str(variable) for variable in variables.LOGS},
                "RES_OPTIONS": NAME_LOOKUPS,
                "UV_THREADPOOL_SIZE": LOOKUP_THREADS,
            },
        ),
    )


def bind(source: str, target: str, *, read_only: bool = False) -> dict[str, Node]:
    """A folder of the host. A missing one is an error, not made: the card beside a disk that is not mounted must not
    be written to."""
    access: dict[str, Node] = {"read_only": True} if read_only else {}
    return {"type": "bind", "source": source, "target": target, **access, "bind": Flow({"create_host_path": False})}
