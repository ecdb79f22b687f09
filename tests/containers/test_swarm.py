"""The rendered stack on a real Swarm of two machines: the one with the data, and one for what needs none."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lucid.base.secret import Secret
from lucid.deploy.catalog import Catalog
from lucid.deploy.images.platform import checkout
from lucid.deploy.launch.checks_inside import INIT, capability_names
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preparing import init
from lucid.deploy.launch.probes import program
from lucid.deploy.launch.probes.secrets import leaks, secrets
from lucid.deploy.machines import FOLDERS, movable
from lucid.deploy.swarm import STACK
from lucid.deploy.variables import short_name
from tests.containers.swarm_kit import Machine, load, two_machines
from tests.containers.terminal import Terminal, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="takes root and a container engine"),
    pytest.mark.timeout(600),
]

CATALOG = Catalog()
NAMES = tuple(piece.name for piece in CATALOG.pieces)
MOVABLE = tuple(service.name for service in movable(CATALOG))
AS_ROOT = "rdp-xrdp"
UPDATED = "rdp-monitor"
UNHEALTHY = "lucid-test/unhealthy:latest"
NEVER_READY = 'ENTRYPOINT ["/usr/bin/python3", "-c", "import signal; signal.pause()"]'
KILLED = 137
"""Exit status of what a signal 9 ended: the engine's, when a container does not end in time."""
SOON = ("--health-interval", "1s", "--health-start-period", "1s", "--health-retries", "2")

_HELPFUL_PROGRAMS = """
import json, os, stat, sys
found = []
for folder, folders, names in os.walk("/"):
    folders[:] = [each for each in folders if folder != "/" or each not in ("proc", "sys")]
    for name in names:
        mode = os.lstat(os.path.join(folder, name)).st_mode
        gives = stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID)
        if gives or name in ("sh", "bash", "dash", "ash", "busybox", "su", "sudo"):
            found.append(os.path.join(folder, name))
sys.stdout.write(json.dumps(found))
"""
# Healthy is not yet known to all: until then the gateway says "unavailable, ask again".
_ASK = """
import json, sys, time
import httpx
asked = json.load(sys.stdin)
end = time.monotonic() + 30
with httpx.Client(base_url=asked["door"], verify=False, trust_env=False, timeout=30) as http:
    def settled(path, **headers):
        while (status := http.get(path, headers=headers).status_code) == 503 and time.monotonic() < end:
            time.sleep(0.2)
        return status
    before = {path: settled(path) for path in asked["paths"]}
    token = http.post("/api/v1/login", json=asked["login"]).raise_for_status().json()["access_token"]
    after = {path: settled(path, Authorization=f"Bearer {token}") for path in asked["paths"]}
sys.stdout.write(json.dumps([before, after]))
"""


@dataclass(frozen=True)
class Container:
    """One of a service, on the machine that Swarm chose."""

    machine: Machine
    id: str

    def answer(self, *argv: str) -> Any:
        """The JSON that a program in it writes."""
        return json.loads(self.machine.docker("exec", self.id, *argv))


@dataclass(frozen=True)
class Swarm:
    """The stack, deployed with the commands at its head."""

    data: Machine
    other: Machine
    folder: Path
    terminal: Terminal
    password: Secret

    @property
    def machines(self) -> tuple[Machine, Machine]:
        return self.data, self.other

    def service(self, name: str, form: str) -> str:
        return self.data.docker("service", "inspect", "--format", form, f"lucid_{name}")

    def healthy(self) -> dict[str, Container]:
        """The container of each service, wherever it is."""
        form = '{{.Label "com.docker.swarm.service.name"}} {{.ID}}'
        found = {}
        for machine in self.machines:
            for line in machine.docker("ps", "--filter", "health=healthy", "--format", form).splitlines():
                name, container = line.removeprefix("lucid_").split()
                found[name] = Container(machine, container)
        return found

    def all_run(self) -> bool:
        """As Swarm counts: a task runs once its container is healthy."""
        counts = self.data.docker("stack", "services", "--format", "{{.Name}} {{.Replicas}}", "lucid")
        return sorted(counts.splitlines()) == sorted(f"lucid_{name} 1/1" for name in NAMES)

    def said(self) -> str:
        """What Swarm says of tasks that do not run."""
        form = "{{.Name}} {{.CurrentState}} {{.Error}}"
        tasks = self.data.docker("stack", "ps", "--no-trunc", "--format", form, "lucid").splitlines()
        return "\n".join(task for task in tasks if " Running " not in task)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    folder = tmp_path_factory.mktemp("swarm")
    place = Place(folder / "deploy", folder / "deploy-identity", folder / "run")
    environment = Terminal.exported(folder / "bin")
    chosen = {name: environment[name] for name in ("LUCID_IMAGE_TAG", "LUCID_PLATFORM")} | {
        "LUCID_DATA_ROOT": str(folder / "data"),
        "LUCID_LOGS_ROOT": str(folder / "logs"),
        "LUCID_SECRETS_DIR": str(place.secrets),
        "LUCID_PUBLIC_KEYS_DIR": str(folder / "public-keys"),
    }
    password = init(place, CATALOG, chosen)
    assert password is not None
    platform = environment["LUCID_PLATFORM"]
    Terminal(environment).lucid("images", "build", "--platform", platform, "--stand-ins", limit_s=900)
    images = {name: f"pickme/lucid-{short_name(name)}:{environment['LUCID_IMAGE_TAG']}" for name in NAMES}
    with two_machines() as (data, other):
        here = [images[name] for name in NAMES if name not in MOVABLE and name != AS_ROOT]
        for end in [load(here, data), load([images[name] for name in MOVABLE], other)]:
            end()
        # The largest comes while others start: Swarm tries again.
        late = load([images[AS_ROOT]], data)
        for machine, label in ((data, "data"), (other, "node")):
            data.docker("node", "update", "--label-add", f"lucid.{label}=true", machine.name)
        # This kernel may have no IPsec; what the option does is the engine's matter.
        variables = {"DOCKER_HOST": data.host, "LUCID_SWARM_ENCRYPTED": "false", "PATH": environment["PATH"]}
        found = Swarm(data, other, folder, Terminal(variables), password)
        found.terminal.shell(f"LUCID_LOGS_ROOT={folder}/logs {FOLDERS}")
        found.terminal.shell(commands(place))
        late()
        try:
            wait_for(found.all_run, "all tasks run", 150)
        except AssertionError:
            pytest.fail(found.said())
        yield found


@pytest.fixture(scope="module")
def inside(swarm: Swarm) -> dict[str, Any]:
    """What each container looks like from within."""
    return answers(swarm, *program("container"))


def answers(swarm: Swarm, *argv: str) -> dict[str, Any]:
    """What a program says in each container."""
    there = swarm.healthy()
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(there, pool.map(lambda container: container.answer(*argv), there.values()), strict=True))


def commands(place: Place) -> str:
    """Those at the stack's head, but that secrets are unlocked already and elsewhere."""
    head = (checkout() / STACK).read_text().partition("\nx-")[0]
    lines = [line.removeprefix("#   ") for line in head.splitlines() if re.match(r"#   [a-z]+ .*|#   configs/", line)]
    typed = [line for line in lines if line.startswith(("set -a", "configs/", "docker stack deploy"))]
    assert len(typed) == 3, head
    return " && ".join(typed).replace("/run/lucid/environment", str(place.run_dir / "environment"))


def test_each_runs_where_its_data_is(swarm: Swarm) -> None:
    there = {name: container.machine for name, container in swarm.healthy().items()}
    assert there == {name: swarm.other if name in MOVABLE else swarm.data for name in NAMES}
    assert len(MOVABLE) > 5


def test_the_door_on_one_machine_answers_through_services_of_the_other(swarm: Swarm) -> None:
    """Asked from the other machine: the login is checked there, with accounts from the store here."""
    there = swarm.healthy()
    through = {"/api/v1/accounts": "lucid-auth-service", "/api/v1/hosts": "rdp-server-manager"}
    assert there["api-gateway"].machine is there["lucid-mongodb"].machine is swarm.data
    assert all(there[name].machine is swarm.other for name in through.values())
    asked = {
        "door": f"https://{swarm.data.address}:8080",
        "paths": [*through, "/api/v1/sessions"],
        "login": {"name": "admin", "password": swarm.password.reveal()},
    }
    before, after = json.loads(swarm.other.python(_ASK, json.dumps(asked)))
    assert set(before.values()) == {401}
    assert set(after.values()) == {200}


def test_the_images_make_up_for_what_swarm_ignores(swarm: Swarm, inside: dict[str, Any]) -> None:
    """Swarm does not pass no-new-privileges on, so nothing is there that could give privileges."""
    helpful = answers(swarm, "/usr/bin/python3", "-c", _HELPFUL_PROGRAMS)
    assert set(inside) == set(NAMES)
    for name, container in swarm.healthy().items():
        seen = inside[name]
        assert {process["Seccomp"] for process in seen["processes"]} == {"2"}, name
        ipc = container.machine.docker("inspect", "--format", "{{.HostConfig.IpcMode}}", container.id)
        assert ipc == "private", name
        if name == AS_ROOT:
            assert helpful[name], "what is looked for is found where it is"
            continue
        by_default = "1" if container.machine is swarm.other else "0"
        assert {process["NoNewPrivs"] for process in seen["processes"]} == {by_default}, name
        assert any(process["Name"] != INIT for process in seen["processes"]), name
        for process in seen["processes"]:
            assert process["Uid"].split() == process["Gid"].split() == ["65532"] * 4, name
            assert not capability_names(int(process["CapEff"], 16) | int(process["CapBnd"], 16)), name
        assert seen["written"] == "EROFS", name
        assert helpful[name] == [], name


def test_secrets_are_nowhere_but_in_their_files(swarm: Swarm, inside: dict[str, Any]) -> None:
    known = secrets(swarm.folder / "run/secrets")
    assert len(known) > len(NAMES)
    texts = {"services": swarm.data.docker("service", "inspect", *(f"lucid_{name}" for name in NAMES))}
    for machine in swarm.machines:
        texts[machine.name] = machine.docker("inspect", *machine.docker("ps", "--quiet").split())
    texts |= {name: str(seen["processes"]) for name, seen in inside.items()}
    assert leaks(known, texts) == []
    for kind in ("secret", "config"):
        names = swarm.data.docker(kind, "ls", "--format", "{{.Name}}").split()
        assert names, kind
        assert all(re.fullmatch(r"lucid-.*-1", name) for name in names)


def test_an_update_that_does_not_get_healthy_is_taken_back(swarm: Swarm) -> None:
    image = swarm.service(UPDATED, "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
    before = swarm.healthy()[UPDATED]
    made = swarm.other.docker("create", image)
    swarm.other.docker("commit", "--change", NEVER_READY, made, UNHEALTHY)
    swarm.other.docker("rm", made)
    swarm.data.docker("service", "update", "--detach", *SOON, "--image", UNHEALTHY, f"lucid_{UPDATED}")
    wait_for(lambda: swarm.service(UPDATED, "{{.UpdateStatus.State}}").startswith("rollback"), "taken back", 60)
    assert swarm.service(UPDATED, "{{.Spec.TaskTemplate.ContainerSpec.Image}}") == image
    wait_for(lambda: swarm.healthy().get(UPDATED, before) != before, "what was before runs again", 60)
    wait_for(swarm.all_run, "Swarm says so too", 30)
    assert set(swarm.healthy()) == set(NAMES)


def test_all_end_by_themselves_and_nothing_is_left_when_the_stack_is_removed(swarm: Swarm) -> None:
    began = time.time()
    swarm.data.docker("stack", "rm", "lucid")
    wait_for(lambda: not any(machine.docker("ps", "--all", "--quiet") for machine in swarm.machines), "removed", 60)
    ends = [end for machine in swarm.machines for end in machine.ends(began)]
    assert len(ends) == len(NAMES)
    assert [end for end in ends if end.startswith(f"{KILLED} ")] == []
    for kind in ("service", "secret", "config"):
        assert not swarm.data.docker(kind, "ls", "--quiet"), kind
    for network in ("lucid-pi-network", "lucid-tron-isolated"):
        swarm.data.docker("network", "rm", network)
    assert any((swarm.folder / "data/lucid-mongodb").iterdir()), "data stays"
