"""`lucid deploy verify` over a whole deployment: nothing is passed over, and each fault has its place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lucid.base.errors import Unavailable
from lucid.cli.app import app
from lucid.deploy.launch import engine as engines
from lucid.deploy.launch.checks import Result, Seen
from lucid.deploy.launch.engine import Command, Done
from lucid.deploy.launch.expected import expected
from lucid.deploy.launch.sets import Content, Sets
from lucid.deploy.launch.verify import verify
from tests.deploy.verify_kit import CATALOG, WANTED, FakeEngine, good, process

TRON, PI = "lucid-tron-isolated", "lucid-pi-network"


def failed(results: list[Result]) -> dict[str, list[tuple[str, str]]]:
    return {
        result.name: [(failure.where, failure.problem) for failure in result.failures]
        for result in results
        if result.failures
    }


async def failures(engine: FakeEngine, **options: Any) -> dict[str, list[tuple[str, str]]]:
    return failed(await verify(engine, CATALOG, {}, **options))


async def test_all_is_as_it_has_to_be() -> None:
    results = await verify(FakeEngine(), CATALOG, {})
    assert failed(results) == {}
    assert all(result.looked for result in results)
    assert {result.looked for result in results if result.name in {"present", "health", "no-shell"}} == {len(WANTED)}
    assert len({result.name for result in results}) == len(results)


async def test_every_check_is_in_the_documentation(files: dict[str, str]) -> None:
    section = files["docs/deployment.md"].partition("## What is verified")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    results = await verify(FakeEngine(), CATALOG, {})
    assert sorted(re.findall("`([a-z-]+)`", " ".join(rows))) == sorted(result.name for result in results)


async def test_a_container_that_is_missing() -> None:
    engine = FakeEngine()
    del engine.containers["data-chain"]
    assert await failures(engine) == {"present": [("data-chain", "there is no such container")]}


async def test_nothing_there_at_all() -> None:
    engine = FakeEngine(containers={}, networks={})
    found = await failures(engine)
    assert len(found["present"]) == len(WANTED)
    assert found["network-options"] == [(PI, "there is none"), (TRON, "there is none")]


async def test_only_the_phases_that_were_asked_for() -> None:
    engine = FakeEngine(containers={name: good(name) for name in WANTED if name.startswith("lucid-")})
    assert await failures(engine, phases=1) == {}
    assert "present" in await failures(engine, phases=2)


async def test_a_container_that_cannot_be_looked_into_is_no_success() -> None:
    engine = FakeEngine()
    seen = good("data-chain")
    engine.containers["data-chain"] = Seen(seen.inspected, {}, seen.shell)
    why = "no program could be run in it: OCI runtime exec failed"
    assert await failures(engine) == {"inside": [("data-chain", why)]}


async def test_a_program_that_does_not_end_is_one_that_failed() -> None:
    class Stuck(FakeEngine):
        async def run(self, command: Command) -> Done:
            if command.arguments[:2] == ("exec", "data-chain"):
                raise Unavailable("docker exec data-chain: no end within 20 s")
            return await super().run(command)

    found = await failures(Stuck())
    assert found == {
        "inside": [("data-chain", "no program could be run in it: docker exec data-chain: no end within 20 s")]
    }


async def test_strangers_that_cannot_look_are_no_success() -> None:
    class Full(FakeEngine):
        async def run(self, command: Command) -> Done:
            if command.arguments[0] == "run":
                return Done(125, "", "no space left on device")
            return await super().run(command)

    found = await failures(Full())
    assert sorted(found) == ["connections", "egress", "names", "secrets"]
    assert {problem for problems in found.values() for _, problem in problems} == {
        "a container to look from could not run: no space left on device"
    }


async def test_a_network_that_is_not_isolated() -> None:
    engine = FakeEngine()
    engine.networks[TRON]["Internal"] = False
    assert await failures(engine) == {"network-options": [(TRON, "internal: expected True, found False")]}


@pytest.mark.parametrize(
    ("network", "address", "port", "name"),
    [
        (TRON, good("api-gateway").inspected["NetworkSettings"]["Networks"][PI]["IPAddress"], 8080, "api-gateway"),
        (PI, good("lucid-redis").inspected["NetworkSettings"]["Networks"][TRON]["IPAddress"], 6379, "lucid-redis"),
        (TRON, "172.21.0.1", 8080, "api-gateway as published"),
        (TRON, "172.20.0.1", 3389, "rdp-controller as published"),
        (TRON, "192.0.2.1", 80, "the world"),
    ],
)
async def test_a_way_between_the_networks_is_found_in_both_directions(
    network: str, address: str, port: int, name: str
) -> None:
    engine = FakeEngine(reachable=lambda *place: place == (network, address, port))
    problem = f"{name} ({address}:{port}): expected to be out of reach, found a connection"
    assert await failures(engine) == {"connections": [(network, problem)]}


async def test_a_store_that_the_payment_services_do_not_reach() -> None:
    class Deaf(FakeEngine):
        def _reached(self, network: str, places: list[tuple[str, int]], names: list[str]) -> dict[str, Any]:
            said: dict[str, Any] = super()._reached(network, places, names)
            if network == TRON:
                said["connected"] = ["Connection refused"] * len(places)
            return said

    found = await failures(Deaf())
    assert {where for where, _ in found["connections"]} == {TRON}
    reached = [problem.split()[0] for _, problem in found["connections"]]
    assert reached == ["lucid-mongodb", "lucid-redis"]


async def test_a_published_port_has_to_be_open_and_that_of_a_service_at_rest_need_not() -> None:
    class Shut(FakeEngine):
        def _reached(self, network: str, places: list[tuple[str, int]], names: list[str]) -> dict[str, Any]:
            said: dict[str, Any] = super()._reached(network, places, names)
            refused = ["refused" if port in (3389, 8080) else "" for _, port in places]
            said["connected"] = [new or old for new, old in zip(refused, said["connected"], strict=True)]
            return said

    found = await failures(Shut())
    assert [(where, problem.split()[0]) for where, problem in found["connections"]] == [
        (PI, "api-gateway"),
        (PI, "rdp-controller"),
    ]


async def test_a_name_that_is_known_on_the_other_network() -> None:
    engine = FakeEngine(known=lambda network, name: "172.20.0.9" if (network, name) == (TRON, "data-chain") else "")
    assert await failures(engine) == {"names": [(TRON, "data-chain: expected nothing, found 172.20.0.9")]}


async def test_a_route_out_of_the_internal_network() -> None:
    assert await failures(FakeEngine(route_out=True)) == {"egress": [(TRON, "expected no route out, found one")]}


async def test_a_secret_is_looked_for_wherever_it_could_be_read() -> None:
    engine = FakeEngine(leaks=[("lucid-redis the arguments of redis (7)", "redis-password")])
    seen = good("lucid-redis")
    processes = [process(7, "redis") | {"cmdline": ["redis", "--requirepass", "hunter22"], "environ": ["A=1"]}]
    engine.containers["lucid-redis"] = Seen(seen.inspected, {**seen.inside, "processes": processes}, seen.shell)
    assert await failures(engine) == {
        "secrets": [("lucid-redis", "redis-password stands in the arguments of redis (7)")]
    }
    assert engine.texts["lucid-redis the arguments of redis (7)"] == "redis\n--requirepass\nhunter22"
    assert engine.texts["lucid-redis the environment of redis (7)"] == "A=1"
    assert engine.texts["lucid-redis docker logs"] == "it runs\n"
    assert "PATH=/usr/bin" in engine.texts["lucid-redis docker inspect"]
    assert len([where for where in engine.texts if where.endswith("docker inspect")]) == len(WANTED)


async def test_without_secrets_to_compare_with_nothing_is_said_to_be_well() -> None:
    engine = FakeEngine(secrets={"secrets": 0})
    assert list(await failures(engine)) == ["secrets"]


async def test_an_engine_that_does_not_answer() -> None:
    class Gone(FakeEngine):
        async def run(self, command: Command) -> Done:
            return Done(1, "", "Cannot connect to the Docker daemon")

    with pytest.raises(Unavailable, match="Cannot connect to the Docker daemon"):
        await verify(Gone(), CATALOG, {})


def run_command(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine, *options: str) -> tuple[int, str]:
    async def found(_where: object = ()) -> FakeEngine:
        return engine

    monkeypatch.setattr(engines, "find_engine", found)
    done = CliRunner().invoke(app, ["deploy", "verify", *options])
    return done.exit_code, done.stdout


def test_the_command_groups_what_failed_and_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    for name in ("data-chain", "block-manager"):
        engine.containers[name].inspected["HostConfig"]["RestartPolicy"]["Name"] = "no"
    status, text = run_command(monkeypatch, engine)
    assert status == 1
    assert "restart policy: expected unless-stopped, found no: block-manager, data-chain" in text
    status, text = run_command(monkeypatch, engine, "--json")
    document = json.loads(text)
    assert (status, document["verified"]) == (1, False)
    (check,) = [check for check in document["checks"] if not check["ok"]]
    assert (check["check"], [failure["where"] for failure in check["failures"]]) == (
        "restart",
        ["block-manager", "data-chain"],
    )


def test_a_set_is_configured_by_its_files_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`lucid deploy up` lets Compose see nothing of the shell; without it Compose takes what the shell has."""
    monkeypatch.setenv("LUCID_REDIS_MEMORY", "64m")
    assert run_command(monkeypatch, FakeEngine(), "--deploy-dir", str(tmp_path))[0] == 1
    sets = Sets(tmp_path / "sets")
    sets.make_current(sets.create(Content({}, (), {}), time="2026-11-23T05:00:00.000000Z", lucid="1"))
    assert run_command(monkeypatch, FakeEngine(), "--deploy-dir", str(tmp_path))[0] == 0


@pytest.mark.parametrize("text", ["512m", "512MiB", "0.5 g", "536870912"])
def test_memory_is_read_as_settings_are(text: str) -> None:
    (redis,) = (piece for piece in CATALOG.pieces if piece.name == "lucid-redis")
    assert expected(redis, {"LUCID_REDIS_MEMORY": text}).memory == 512 << 20


def test_the_command_exits_with_0_when_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    status, text = run_command(monkeypatch, FakeEngine())
    assert (status, text.splitlines()[-1]) == (0, "24 checks, all as it has to be.")
    status, text = run_command(monkeypatch, FakeEngine(), "--json")
    assert (status, json.loads(text)["verified"]) == (0, True)
