"""Each check of `lucid deploy verify` fails where it has to, and only there."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from lucid.base.errors import InvalidInput
from lucid.deploy.launch import checks_container, checks_inside, checks_networks
from lucid.deploy.launch.checks import Seen
from lucid.deploy.launch.expected import expected
from tests.deploy.verify_kit import CATALOG, WANTED, good, inspected_network, process

CHECKS = (*checks_container.CHECKS, *checks_inside.CHECKS)
Spoil = Callable[[dict[str, Any], dict[str, Any]], object]


def failures(name: str, seen: Seen) -> dict[str, list[str]]:
    """What each check says, of those that say something."""
    said = {check.name: list(check.look(WANTED[name], seen)) for check in CHECKS}
    return {check: problems for check, problems in said.items() if problems}


@pytest.mark.parametrize("name", WANTED)
def test_nothing_is_wrong_with_a_container_that_is_as_declared(name: str) -> None:
    assert failures(name, good(name)) == {}


SPOILT: list[tuple[str, str, Spoil]] = [
    ("health", "unhealthy", lambda doc, _: doc["State"]["Health"].update(Status="unhealthy")),
    ("health", "never asked", lambda doc, _: doc["State"].pop("Health")),
    ("health", "exited", lambda doc, _: doc["State"].update(Status="exited")),
    ("health-check", "CMD-SHELL", lambda doc, _: doc["Config"]["Healthcheck"].update(Test=["CMD-SHELL", "true"])),
    ("health-check", "Interval", lambda doc, _: doc["Config"]["Healthcheck"].update(Interval=60_000_000_000)),
    ("health-check", "Timeout", lambda doc, _: doc["Config"]["Healthcheck"].update(Timeout=1)),
    ("health-check", "Retries", lambda doc, _: doc["Config"]["Healthcheck"].update(Retries=1)),
    ("health-check", "StartPeriod", lambda doc, _: doc["Config"]["Healthcheck"].update(StartPeriod=0)),
    ("health-check", "nothing", lambda doc, _: doc["Config"].pop("Healthcheck")),
    ("image", "evil/api-gateway", lambda doc, _: doc["Config"].update(Image="evil/api-gateway")),
    ("privileges", "user", lambda doc, _: doc["Config"].update(User="")),
    ("privileges", "privileged", lambda doc, _: doc["HostConfig"].update(Privileged=True)),
    ("privileges", "NET_RAW", lambda doc, _: doc["HostConfig"].update(CapAdd=["CAP_NET_RAW"])),
    ("privileges", "dropped", lambda doc, _: doc["HostConfig"].update(CapDrop=None)),
    ("privileges", "no-new-privileges", lambda doc, _: doc["HostConfig"].update(SecurityOpt=None)),
    ("privileges", "PidMode", lambda doc, _: doc["HostConfig"].update(PidMode="host")),
    ("privileges", "IpcMode", lambda doc, _: doc["HostConfig"].update(IpcMode="host")),
    ("privileges", "devices", lambda doc, _: doc["HostConfig"].update(Devices=[{"PathOnHost": "/dev/mem"}])),
    ("read-only", "found False", lambda doc, _: doc["HostConfig"].update(ReadonlyRootfs=False)),
    ("mounts", "expected nothing", lambda doc, _: doc["Mounts"].append(mount("/var/run/docker.sock"))),
    ("mounts", "found nothing", lambda doc, _: doc["Mounts"].pop()),
    ("mounts", "writable", lambda doc, _: doc["Mounts"][-1].update(RW=True)),
    ("mounts", "/elsewhere", lambda doc, _: doc["Mounts"][0].update(Source="/elsewhere")),
    ("mounts", "in memory", lambda doc, _: doc["HostConfig"].update(Tmpfs={})),
    (
        "ports",
        "0.0.0.0:22",
        lambda doc, _: doc["NetworkSettings"]["Ports"].update({"22/tcp": host_port("0.0.0.0", 22)}),
    ),
    ("ports", "10.0.0.1", lambda doc, _: doc["NetworkSettings"]["Ports"]["8080/tcp"][0].update(HostIp="10.0.0.1")),
    ("ports", "found nothing", lambda doc, _: doc["NetworkSettings"]["Ports"].clear()),
    ("networks", "bridge", lambda doc, _: doc["NetworkSettings"]["Networks"].update(bridge={"IPAddress": ""})),
    ("networks", "nothing", lambda doc, _: doc["NetworkSettings"]["Networks"].clear()),
    ("limits", "memory", lambda doc, _: doc["HostConfig"].update(Memory=0)),
    ("limits", "swap", lambda doc, _: doc["HostConfig"].update(MemorySwap=-1)),
    ("limits", "cores", lambda doc, _: doc["HostConfig"].update(NanoCpus=0)),
    ("limits", "processes", lambda doc, _: doc["HostConfig"].update(PidsLimit=None)),
    ("logs", "journald", lambda doc, _: doc["HostConfig"]["LogConfig"].update(Type="journald")),
    ("logs", "options", lambda doc, _: doc["HostConfig"]["LogConfig"]["Config"].pop("max-size")),
    ("restart", "found no", lambda doc, _: doc["HostConfig"]["RestartPolicy"].update(Name="no")),
    ("identity", "user of python3", lambda _, ins: ins["processes"][1].update(Uid="65532\t0\t65532\t65532")),
    ("identity", "group of docker-init", lambda _, ins: ins["processes"][0].update(Gid="0\t0\t0\t0")),
    ("identity", "no process", lambda _, ins: ins["processes"].pop()),
    ("capabilities", "CapEff of python3 (7): NET_ADMIN", lambda _, ins: ins["processes"][1].update(CapEff="1000")),
    (
        "capabilities",
        "CapBnd of docker-init (1): SYS_PTRACE",
        lambda _, ins: ins["processes"][0].update(CapBnd="80000"),
    ),
    ("no-new-privileges", "NoNewPrivs", lambda _, ins: ins["processes"][1].update(NoNewPrivs="0")),
    ("seccomp", "Seccomp", lambda _, ins: ins["processes"][1].update(Seccomp="0")),
    ("no-write", "a file was written", lambda _, ins: ins.update(written="")),
    ("no-write", "EACCES", lambda _, ins: ins.update(written="EACCES")),
]


def mount(path: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": path, "Destination": path, "RW": True}


def host_port(address: str, port: int) -> list[dict[str, str]]:
    return [{"HostIp": address, "HostPort": str(port)}]


@pytest.mark.parametrize(("check", "said", "spoil"), SPOILT, ids=[f"{check}-{said}" for check, said, _ in SPOILT])
def test_a_fault_is_found_by_its_check_alone(check: str, said: str, spoil: Spoil) -> None:
    seen = good("api-gateway")
    document, inside = deepcopy(dict(seen.inspected)), deepcopy(dict(seen.inside))
    spoil(document, inside)
    found = failures("api-gateway", Seen(document, inside, seen.shell))
    assert list(found) == [check]
    assert said in "\n".join(found[check])


@pytest.mark.parametrize("shell", [(0, "test\n"), (1, "Error: container is not running"), (126, "permission denied")])
def test_a_shell_is_found(shell: tuple[int, str]) -> None:
    seen = good("api-gateway")
    assert list(failures("api-gateway", Seen(seen.inspected, seen.inside, shell))) == ["no-shell"]


def test_the_desktops_container_has_what_it_may_have_and_no_more() -> None:
    seen = good("rdp-xrdp")
    inside = deepcopy(dict(seen.inside))
    inside["processes"].append(process(70, "Xorg", "1001"))
    assert failures("rdp-xrdp", Seen(seen.inspected, inside, seen.shell)) == {}
    inside["processes"].append(process(71, "xrdp", "0", "0000000020001000"))
    found = failures("rdp-xrdp", Seen(seen.inspected, inside, seen.shell))
    assert found == {"capabilities": [f"Cap{which} of xrdp (71): NET_ADMIN" for which in ("Eff", "Bnd")]}


def test_an_image_may_have_the_name_of_its_deployment_set() -> None:
    seen = good("api-gateway")
    document = deepcopy(dict(seen.inspected))
    document["Config"]["Image"] = "pickme/lucid-api-gateway:set-0a0a0a0a0a0a"
    assert failures("api-gateway", Seen(document, seen.inside, seen.shell)) == {}
    document["Config"]["Image"] = "pickme/lucid-api-gateway:set-0b0b0b0b0b0b"
    assert list(failures("api-gateway", Seen(document, seen.inside, seen.shell))) == ["image"]


def test_a_capability_without_a_name_is_named_by_its_number() -> None:
    assert checks_inside.capability_names(1 << 60 | 1) == {"CHOWN", "60"}


def test_variables_of_the_deployment_count() -> None:
    pieces = {piece.name: piece for piece in CATALOG.pieces}
    values = {
        "LUCID_BIND_DATA": "10.1.2.3",
        "LUCID_REDIS_PORT": "7000",
        "LUCID_REDIS_MEMORY": "1.5G",
        "LUCID_REDIS_CPUS": "",
        "LUCID_DATA_ROOT": "/srv",
        "LUCID_SECCOMP": "unconfined",
        "LUCID_IMAGE_TAG": "v1",
    }
    found = expected(pieces["lucid-redis"], values)
    assert found.published == {6379: ("10.1.2.3", 7000)}
    assert (found.memory, found.nano_cpus, found.seccomp) == (3 << 29, 500_000_000, 0)
    assert found.mounts["/data"] == ("/srv/lucid-redis", True)
    assert found.mounts["/run/secrets/redis-password"] == ("/run/lucid/secrets/redis-password", False)
    assert found.image == "pickme/lucid-redis:v1"


@pytest.mark.parametrize(
    "value", [{"LUCID_REDIS_MEMORY": "much"}, {"LUCID_REDIS_CPUS": "all"}, {"LUCID_REDIS_PORT": "x"}]
)
def test_a_variable_that_is_no_number_is_named(value: dict[str, str]) -> None:
    (piece,) = [piece for piece in CATALOG.pieces if piece.name == "lucid-redis"]
    with pytest.raises(InvalidInput, match=next(iter(value))):
        expected(piece, value)


TRON, PI = (next(each for each in CATALOG.networks if name in each.name) for name in ("tron", "pi-network"))


@pytest.mark.parametrize("network", CATALOG.networks, ids=lambda network: network.name)
def test_networks_as_declared(network: Any) -> None:
    assert list(checks_networks.declared(network, inspected_network(network))) == []


def test_a_network_made_with_the_spec_s_own_command_is_as_declared() -> None:
    """The driver does by itself what the options that it leaves out would say."""
    assert list(checks_networks.declared(PI, {**inspected_network(PI), "Options": {}})) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Internal": False}, "internal: expected True, found False"),
        ({"Attachable": False}, "attachable"),
        ({"Driver": "macvlan"}, "driver: expected bridge, found macvlan"),
        ({"IPAM": {"Config": [{"Subnet": "172.21.0.0/24", "Gateway": "172.21.0.1"}]}}, "subnet"),
        ({"IPAM": {"Config": [{"Subnet": "172.21.0.0/16", "Gateway": "172.21.0.9"}]}}, "gateway"),
        ({"IPAM": {"Config": []}}, "subnet: expected 172.21.0.0/16, found nothing"),
        ({"IPAM": {"Config": [*inspected_network(TRON)["IPAM"]["Config"], {"Subnet": "fd00::/64"}]}}, "fd00::/64"),
        ({"Options": None}, "enable_ip_masquerade: expected false, found true"),
        (
            {
                "Options": {
                    **inspected_network(TRON)["Options"],
                    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
                }
            },
            "host_binding_ipv4: expected nothing, found 0.0.0.0",
        ),
    ],
)
def test_a_network_that_differs(change: dict[str, Any], said: str) -> None:
    assert said in "\n".join(checks_networks.declared(TRON, {**inspected_network(TRON), **change}))


def test_an_image_may_be_pinned_by_what_it_is() -> None:
    seen = good("api-gateway")
    document = deepcopy(dict(seen.inspected))
    document["Image"] = f"sha256:{'ab' * 32}"
    repository = document["Config"]["Image"].rpartition(":")[0]
    document["Config"]["Image"] = f"{repository}:set-{'ab' * 6}"
    assert failures("api-gateway", Seen(document, seen.inside, seen.shell)) == {}
    document["Config"]["Image"] = f"{repository}:set-{'cd' * 6}"
    assert list(failures("api-gateway", Seen(document, seen.inside, seen.shell))) == ["image"]
