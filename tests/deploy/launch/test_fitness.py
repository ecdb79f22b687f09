"""What this machine is asked: memory, disk, folders, ports, clock, and the addresses of networks."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lucid.catalog.networks import PI
from lucid.catalog.stores import STORES
from lucid.catalog.types import Container, Publish, Store
from lucid.deploy.catalog import Catalog
from lucid.deploy.container import folders
from lucid.deploy.launch import fitness
from lucid.deploy.launch.preparing import make_folders
from lucid.deploy.launch.subnets import Route, routes, subnets
from lucid.deploy.variables import fill

LOOPBACK = {"LUCID_BIND_DATA": "127.0.0.1"}


def store(name: str, *ports: int) -> Store:
    published = tuple(Publish(port, "a test", "LUCID_BIND_DATA", "127.0.0.1") for port in ports)
    return replace(STORES[0], name=name, container=Container(published=published))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def catalog(*stores: Store) -> Catalog:
    return Catalog(services=(), stores=stores)


def test_memory() -> None:
    one = catalog(store("one"))
    assert fitness.memory(one, {"LUCID_ONE_MEMORY": "1g"}, 2 << 30).state == "ok"
    wide = fitness.memory(one, {"LUCID_ONE_MEMORY": "2g"}, 2 << 30)
    assert (wide.state, wide.detail) == (
        "warning",
        "2048 MiB; the containers may use 2048 MiB, the system 600 MiB",
    )


def test_disk_of_the_data_or_of_what_is_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"LUCID_DATA_ROOT": str(tmp_path / "not/there")}
    assert fitness.disk(values).detail.endswith(f"free at {tmp_path}")
    monkeypatch.setattr(fitness, "FREE_BYTES", 1 << 60)
    assert fitness.disk(values).state == "failed"


def test_a_disk_of_its_own(tmp_path: Path) -> None:
    assert fitness.mounted({"LUCID_DATA_ROOT": str(tmp_path)}, system=Path("/proc")).state == "ok"
    warned = fitness.mounted({"LUCID_DATA_ROOT": str(tmp_path / "below")}, system=tmp_path)
    assert warned.state == "warning"
    assert "LUCID_DATA_ROOT" in warned.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_folders_are_of_the_users_that_write_to_them(tmp_path: Path) -> None:
    values = {"LUCID_DATA_ROOT": str(tmp_path / "data"), "LUCID_LOGS_ROOT": str(tmp_path / "logs")}
    every = Catalog()
    assert fitness.owners(every, values).detail == "0 of the right users"
    make_folders(every, values)
    assert fitness.owners(every, values).state == "ok"
    strange = Path(fill(next(iter(folders(every.pieces[0]))), values))
    os.chown(strange, 1000, 1000)
    found = fitness.owners(every, values)
    assert (found.state, found.remedy) == ("failed", f"chown -R 65532:65532 {strange}")
    make_folders(every, values)
    assert fitness.owners(every, values).state == "ok", "an empty folder is given to who writes to it"


def test_a_port_that_another_has(taken: int) -> None:
    found = fitness.ports(catalog(store("one", taken)), LOOPBACK, {})
    assert (found.state, found.detail) == ("failed", f"{taken} for one: another program has it")
    assert "LUCID_ONE_PORT" in found.remedy


def test_a_port_that_is_ours(taken: int) -> None:
    one = catalog(store("one", taken))
    assert fitness.ports(one, LOOPBACK, {"one": f"127.0.0.1:{taken}->{taken}/tcp"}).state == "ok"
    assert fitness.ports(one, LOOPBACK, {"one": "127.0.0.1:1->1/tcp"}).state == "failed", "it has another one so far"
    assert fitness.ports(one, LOOPBACK, {"two": f"127.0.0.1:{taken}->{taken}/tcp"}).state == "failed"


def test_a_port_wanted_twice(free: int) -> None:
    both = catalog(store("one", 5), store("two", 6))
    values = {**LOOPBACK, "LUCID_ONE_PORT": str(free), "LUCID_TWO_PORT": str(free)}
    found = fitness.ports(both, values, {})
    assert (found.state, found.detail) == ("failed", f"{free} for two: one is to have it too")
    assert fitness.ports(both, {**values, "LUCID_TWO_PORT": ""}, {"two": "127.0.0.1:6->6/tcp"}).state == "ok"


def test_an_address_that_this_machine_has_not(free: int) -> None:
    found = fitness.ports(catalog(store("one", free)), {"LUCID_BIND_DATA": "203.0.113.7"}, {})
    assert "203.0.113.7 is no address of this machine" in found.detail


def test_ports_as_docker_shows_them() -> None:
    shown = "0.0.0.0:8080->8080/tcp, [::]:9000-9002->9000-9002/tcp, :::3389->3389/tcp, 5432/tcp"
    assert fitness.published(shown) == {8080, 9000, 9001, 9002, 3389}


def test_a_clock_in_the_past() -> None:
    assert fitness.clock(lambda: 0.0).state == "failed"
    assert fitness.clock().state in {"ok", "warning"}


# -- networks


def network(name: str, *pools: str) -> dict[str, Any]:
    return {"Name": name, "Id": "0" * 64, "IPAM": {"Config": [{"Subnet": pool} for pool in pools] or None}}


def route(device: str, destination: str) -> Route:
    return device, ipaddress.IPv4Network(destination)


@pytest.mark.parametrize(
    ("found", "over"),
    [
        ([network("host"), network("bridge", "172.17.0.0/16")], []),
        ([network(PI.name, PI.subnet)], [route("br-0", PI.subnet)]),
        ([network("other", "fd00::/64", "10.0.0.0/24")], [route("eth0", "192.168.0.0/24")]),
    ],
)
def test_free_subnets(found: list[dict[str, Any]], over: list[Route]) -> None:
    assert subnets([PI], found, over).state == "ok"


@pytest.mark.parametrize(
    ("found", "over", "detail"),
    [
        (
            [network("other", "172.20.5.0/24")],
            [],
            "lucid-pi-network 172.20.0.0/16 overlaps the network other, 172.20.5.0/24",
        ),
        (
            [],
            [route("tun0", "172.16.0.0/12")],
            "lucid-pi-network 172.20.0.0/16 overlaps the route by tun0, 172.16.0.0/12",
        ),
        (
            [network(PI.name, "172.30.0.0/16")],
            [],
            "lucid-pi-network is there with the subnet 172.30.0.0/16, not with 172.20.0.0/16",
        ),
    ],
)
def test_subnets_that_are_not_free(found: list[dict[str, Any]], over: list[Route], detail: str) -> None:
    check = subnets([PI], found, over)
    assert (check.state, check.detail) == ("failed", detail)
    assert check.remedy


def test_routes_of_the_kernel(tmp_path: Path) -> None:
    """The default route and the halves of a VPN that takes everything are not in the way of anything."""
    table = tmp_path / "route"
    rows = (
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT",
        "eth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0",
        "tun0 00000080 00000000 0001 0 0 0 00000080 0 0 0",
        "eth0 0000A8C0 00000000 0001 0 0 0 0000FFFF 0 0 0",
    )
    table.write_text("\n".join(rows) + "\n")
    assert routes(table) == [route("eth0", "192.168.0.0/16")]
    assert routes(tmp_path / "none") == []
    assert all(isinstance(device, str) for device, _ in routes())
