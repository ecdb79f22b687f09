"""A deployment on another machine: its commands are run there, over ssh, because secrets and folders are there too."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from lucid.base.errors import InvalidInput
from lucid.base.settings import Settings

SSH_FAILED = 255
"""What ssh exits with when the connection, and not the command, failed: ssh(1)."""

NOT_FOUND = 127
"""What a shell exits with when it does not have a command."""

SCHEME = "ssh://"

_ADDRESS = re.compile(
    r"ssh://(?:([^@/:\s-][^@/:\s]*)@)?"
    r"(?:\[([0-9A-Fa-f:.]+)(?:%(?:25)?([0-9A-Za-z._~-]+))?\]|([^@/:\[\]\s-][^@/:\[\]\s]*))"
    r"(?::([0-9]{1,9}))?/?"
)
"""An IPv6 address may have a zone, `[fe80::1%25eth0]` as RFC 6874 writes it, or with `%` alone as people do."""

_LAST_PORT = 65535


class ElsewhereSettings(Settings):
    """How another machine is reached. Read from `LUCID_SSH` and `LUCID_REMOTE_LUCID`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="LUCID_")

    ssh: str = Field(
        default="ssh", min_length=1, description="the command of OpenSSH's client, with options if need be"
    )
    remote_lucid: str = Field(
        default="lucid", min_length=1, description="`lucid` on the other machine, such as `sudo /opt/lucid/bin/lucid`"
    )

    @field_validator("ssh", "remote_lucid")
    @classmethod
    def _is_a_command(cls, text: str) -> str:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise ValueError(f"expected a command: {str(error).lower()}") from None
        if not words:
            raise ValueError("expected a command, not blanks")
        return text


@dataclass(frozen=True)
class Machine:
    """Another machine, as `ssh://USER@HOST:PORT` names it; what is left out is as ssh's own configuration says."""

    host: str
    user: str = ""
    port: str = ""

    @classmethod
    def parse(cls, address: str) -> Self:
        """Raises InvalidInput for what is no such address, or has a password in it."""
        if (match := _ADDRESS.fullmatch(address)) is None:
            shown = re.sub(r"//.*@", "//…@", address)
            raise InvalidInput(f"--context, --host: expected ssh://USER@HOST:PORT, not {shown!r}")
        user, ipv6, zone, name, port = match.groups()
        if port and not 1 <= int(port) <= _LAST_PORT:
            raise InvalidInput(f"--context, --host: expected a port of 1 to {_LAST_PORT}, not {port}")
        return cls(name or (f"{ipv6}%{zone}" if zone else ipv6), user or "", port or "")

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    def command(self, settings: ElsewhereSettings, words: Sequence[str], *, terminal: bool) -> tuple[str, ...]:
        """How `lucid` is called there with these words; `terminal`: it has one there too, to ask and to show progress.
        The shell of the user there may be any: what it gets is one command for `sh`."""
        lucid = shlex.split(settings.remote_lucid)
        known = f"command -v {shlex.quote(lucid[0])} >/dev/null 2>&1 || exit {NOT_FOUND}"
        there = f"{known}; exec {shlex.join([*lucid, *words])}"
        return (
            *shlex.split(settings.ssh),
            "-t" if terminal else "-T",
            *(("-l", self.user) if self.user else ()),
            *(("-p", self.port) if self.port else ()),
            "--",
            self.host,
            shlex.join(("sh", "-c", there)),
        )
