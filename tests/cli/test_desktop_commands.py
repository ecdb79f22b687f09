"""`lucid desktop` and `lucid host access`, against a running platform without desktops."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.cli.app import app
from lucid.cli.host_access import changed
from lucid.model.host import HostAccess
from lucid.model.policy import Policy
from tests.cli.running import running_platform


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_platform(tmp_path_factory.mktemp("lucid")) as folder:
        lucid(folder, "host", "add", "office", "192.0.2.7", "--username", "desk")
        yield folder


def lucid(data: Path, *arguments: str) -> Result:
    environment = {"LUCID_HOST_PASSWORD": "hunter2"}
    return CliRunner().invoke(app, ["--data-dir", str(data), *arguments], env=environment)


def refused(done: Result, *expected: str) -> None:
    assert done.exit_code == 2, done.output
    assert len(done.stderr.splitlines()) == 1
    for text in expected:
        assert text in done.stderr


def test_without_desktops_the_list_says_what_to_do(data: Path) -> None:
    assert "lucid desktop create NAME" in lucid(data, "desktop", "ls").stdout
    assert json.loads(lucid(data, "desktop", "ls", "--json").stdout) == []


@pytest.mark.parametrize("act", ["stop", "reset", "rm"])
def test_a_desktop_that_is_not_there_is_said_to_be(data: Path, act: str) -> None:
    refused(lucid(data, "desktop", act, "nowhere"), "no desktop 'nowhere'", "lucid desktop ls")
    refused(lucid(data, "desktop", act, "No Where"), "NAME")


def test_a_desktop_cannot_have_a_host_s_name_or_a_wrong_one(data: Path) -> None:
    refused(lucid(data, "desktop", "create", "Ada"), "NAME")
    refused(lucid(data, "desktop", "create", "ada", "--owner", "Ada"), "--owner")


def test_a_quota_is_shown_and_set(data: Path) -> None:
    assert "ada may have 3 desktops, as anybody may." in lucid(data, "desktop", "quota", "ada").stdout
    assert "ada may have 5 desktops." in lucid(data, "desktop", "quota", "ada", "5").stdout
    assert "3 desktops, as anybody may" in lucid(data, "desktop", "quota", "ada", "default").stdout
    for wrong in ("many", "1001"):
        refused(lucid(data, "desktop", "quota", "ada", wrong), "LIMIT", wrong)


def test_access_is_changed_piece_by_piece(data: Path) -> None:
    said = lucid(data, "host", "access", "office", "--user", "ada", "--user", "bob", "--approval", "--pool", "pcs")
    assert said.stdout.strip() == (
        "office in pool pcs: ada, bob, role admin; redirections: none; "
        "asked for each session: another person's approval."
    )
    more = lucid(data, "host", "access", "office", "--role", "none", "--allow", "clipboard,audio", "--json")
    host = json.loads(more.stdout)
    assert (host["access"]["users"], host["access"]["roles"], host["pool"]) == (["ada", "bob"], [], "pcs")
    assert (host["access"]["policy"]["clipboard"], host["access"]["policy"]["drive"]) == (True, False)
    last = lucid(data, "host", "access", "office", "--no-approval", "--second-factor", "--pool", "none")
    assert "office: ada, bob; redirections: clipboard, audio;" in last.stdout
    assert "a second factor" in last.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere", "--user", "ada"), "no host 'nowhere'"),
        (("office",), "that is so already"),
        (("office", "--user", "Ada"), "--user"),
        (("office", "--role", "king"), "ROLE"),
        (("office", "--allow", "everything"), "--allow"),
        (("office", "--pool", "No"), "--pool"),
    ],
)
def test_wrong_access_is_refused(data: Path, arguments: tuple[str, ...], expected: str) -> None:
    refused(lucid(data, "host", "access", *arguments), expected)


def test_what_is_not_named_stays() -> None:
    policy = Policy(drive=True, idle_limit_s=60)
    now = HostAccess(users=("ada",), roles=("user",), policy=policy, approval=True)
    assert changed(now) == now
    played = changed(now, users=["none"], playback=True, approval=False)
    assert played == HostAccess(users=(), roles=("user",), policy=policy.model_copy(update={"playback": True}))
    allowed = changed(now, allow=["usb"])
    assert allowed.policy == Policy(usb=True, idle_limit_s=60)
