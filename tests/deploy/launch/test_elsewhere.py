"""What ssh is asked to do for a deployment on another machine."""

import shlex
import subprocess
from pathlib import Path

import pytest

from lucid.base.errors import InvalidInput
from lucid.deploy.launch.elsewhere import ElsewhereSettings, Machine

USUAL = ElsewhereSettings()


@pytest.mark.parametrize(
    ("address", "options", "host"),
    [
        ("ssh://pi", (), "pi"),
        ("ssh://pi/", (), "pi"),
        ("ssh://root@Pi.local:2222", ("-l", "root", "-p", "2222"), "Pi.local"),
        ("ssh://root@[fe80::1]:22", ("-l", "root", "-p", "22"), "fe80::1"),
        ("ssh://pi@[fe80::1%25eth0]", ("-l", "pi"), "fe80::1%eth0"),
        ("ssh://[fe80::1%eth0]:65535", ("-p", "65535"), "fe80::1%eth0"),
    ],
)
def test_ssh_is_told_what_the_address_says(address: str, options: tuple[str, ...], host: str) -> None:
    argv = Machine.parse(address).command(USUAL, ("deploy", "up"), terminal=False)
    assert argv[:-1] == ("ssh", "-T", *options, "--", host)


@pytest.mark.parametrize(
    "address",
    [
        "ssh://",
        "ssh://root@",
        "ssh://-oProxyCommand=id",
        "ssh://-l@pi",
        "ssh://root:s3cret@pi",
        "ssh://pi:port",
        "ssh://pi:٢٢",
        "ssh://pi:9999999999",
        "ssh://[fe80::1%]",
        "ssh://[fe80::1%25eth0 -oProxyCommand=id]",
        "ssh://pi/var/run/docker.sock",
        "ssh://pi pi",
        "ssh://pi\n",
        "tcp://pi",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="expected ssh://") as refused:
        Machine.parse(address)
    assert "s3cret" not in refused.value.detail


@pytest.mark.parametrize("port", ["0", "65536", "999999999"])
def test_a_port_that_there_is_not_is_named(port: str) -> None:
    with pytest.raises(InvalidInput, match=f"expected a port of 1 to 65535, not {port}$"):
        Machine.parse(f"ssh://root@pi:{port}")


def test_a_terminal_and_settings() -> None:
    settings = ElsewhereSettings(ssh="ssh -F 'my config'", remote_lucid="sudo /opt/l/lucid")
    argv = Machine.parse("ssh://pi").command(settings, ("deploy", "init"), terminal=True)
    assert argv[:-1] == ("ssh", "-F", "my config", "-t", "--", "pi")
    assert "exec sudo /opt/l/lucid deploy init" in shlex.split(argv[-1])[2]


def test_words_arrive_as_they_were_given(tmp_path: Path) -> None:
    words = ["a b", "$(touch x)", "it's", '"', "*", "\\", "é;", "--", "", "a\nb"]
    lucid = tmp_path / "my lucid"
    lucid.write_text('#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n')
    lucid.chmod(0o755)
    settings = ElsewhereSettings(remote_lucid=shlex.quote(str(lucid)))
    line = Machine.parse("ssh://pi").command(settings, words, terminal=False)[-1]
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.split("\0")[:-1] == words
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("variable", ["LUCID_SSH", "LUCID_REMOTE_LUCID"])
@pytest.mark.parametrize("text", [" ", "ssh 'open"])
def test_what_is_no_command_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(InvalidInput, match="expected a command") as caught:
        ElsewhereSettings.load()
    assert caught.value.detail.startswith(f"{variable}: ")
