"""The .rdp file and the policy that `lucid connect` asks for."""

import os
import shlex
import stat
from pathlib import Path

import pytest

from lucid.access.clients import freerdp_line, rdp_file
from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.cli.connect import policy_of, write_privately
from lucid.cli.console import say
from lucid.model.host import Ticket
from lucid.model.policy import Policy
from lucid.ports.access import GatewayEndpoint

ENDPOINT = GatewayEndpoint(address="192.0.2.1", port=13389, fingerprint="ab" * 32)
TICKET = Ticket(secret=Secret("t1cket"), user="ann", host="office", expires="2026-11-22T21:42:00.000000Z")


def test_the_file_carries_ticket_and_address_and_no_credentials() -> None:
    text = rdp_file(ENDPOINT, TICKET, Policy())
    lines = text.split("\r\n")
    assert "full address:s:192.0.2.1:13389" in lines
    assert "loadbalanceinfo:s:lucid=t1cket" in lines
    assert "enablecredsspsupport:i:0" in lines
    assert "redirectclipboard:i:0" in lines
    assert "password" not in text


def test_freerdp_is_given_the_fingerprint_as_it_compares_it(capsys: pytest.CaptureFixture[str]) -> None:
    say(freerdp_line(Path("my office.rdp"), ENDPOINT))
    words = shlex.split(capsys.readouterr().out)
    assert words[1] == "my office.rdp"
    assert words[-1] == "/cert:fingerprint:sha256:" + ":".join(["ab"] * 32)  # ":ab:" is also the name of an emoji


def test_the_file_offers_what_the_policy_allows() -> None:
    lines = rdp_file(ENDPOINT, TICKET, policy_of(["clipboard,drive"], 60, 600, False)).split("\r\n")
    assert "redirectclipboard:i:1" in lines
    assert "drivestoredirect:s:*" in lines
    assert "audiomode:i:2" in lines


def test_everything_is_denied_by_default() -> None:
    policy = policy_of([], 1800, 28_800, False)
    assert not any(value for value in policy.model_dump().values() if isinstance(value, bool))


def test_an_unknown_redirection_is_named() -> None:
    with pytest.raises(InvalidInput, match="not 'webcam'"):
        policy_of(["clipboard", "webcam"], 60, 600, False)


def test_a_ticket_is_the_users_alone(tmp_path: Path) -> None:
    old, linked, link = tmp_path / "old.rdp", tmp_path / "linked.rdp", tmp_path / "link.rdp"
    for file in (old, linked):
        file.touch(0o644)
    link.symlink_to(linked)
    with old.open() as read_before:
        write_privately(old, "ticket\r\n")
        assert read_before.read() == ""
    write_privately(link, "ticket\r\n")
    assert link.is_symlink()
    for file in (old, linked):
        assert file.read_bytes() == b"ticket\r\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_privately(pipe, "ticket")
    assert os.read(reader, 100) == b"ticket"
    os.close(reader)
    assert pipe.is_fifo()
