"""`lucid host`: the desktops that can be reached."""

import ipaddress
import os
import re
import sys
from typing import Annotated

import typer
from rich.prompt import Prompt

from lucid.base.clock import SystemClock
from lucid.base.errors import Conflict, InvalidInput, NotFound
from lucid.base.secret import Secret
from lucid.cli.console import JsonOption, checked_name, out, print_json, run, running_platform, table, time_text
from lucid.model.host import Host, HostCredentials
from lucid.ports.access import Hosts

app = typer.Typer(help="Register, list and remove desktop hosts.", no_args_is_help=True)

DNS_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
PASSWORD_VARIABLE = "LUCID_HOST_PASSWORD"  # noqa: S105 - the variable's name


def split_address(text: str) -> tuple[str, int]:
    """`NAME`, `NAME:PORT`, `[IPv6]:PORT` to address and port. Raises InvalidInput."""
    address, colon, port = text.rpartition(":")
    if not colon or (address.count(":") and not address.endswith("]")):
        address, port = text, "3389"
    if address.startswith("[") and address.endswith("]") and ":" in address:
        address = address[1:-1]
    if not _is_address(address) or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise InvalidInput(f"ADDRESS: expected a name or IP address, with :PORT if not 3389, not {text!r}")
    return address, int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return DNS_NAME.fullmatch(text) is not None
    return True


async def known_host(hosts: Hosts, name: str) -> Host:
    """The registered host of that name. Raises NotFound in the command line's words."""
    try:
        return await hosts.get(name=name)
    except NotFound:
        raise NotFound(f"no host {name!r}; see `lucid host ls`, or add it with `lucid host add`") from None


def _password(username: str) -> Secret:
    """The password as `_given_password` finds it. Raises InvalidInput when it is empty."""
    password = _given_password(username)
    if not password.reveal():
        raise InvalidInput(f"the password is empty: type it, set {PASSWORD_VARIABLE}, or give it on standard input")
    return password


def _given_password(username: str) -> Secret:
    """From the environment, a terminal prompt, or the first line of standard input: never an argument."""
    if (value := os.environ.get(PASSWORD_VARIABLE)) is not None:
        return Secret(value)
    if sys.stdin.isatty():
        return Secret(Prompt.ask(f"Password of {username} on that host", password=True))
    return Secret(sys.stdin.readline().rstrip("\n"))


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A short name for the host: a-z 0-9 . _ -")],
    address: Annotated[str, typer.Argument(help="DNS name or IP address, with :PORT if it is not 3389.")],
    username: Annotated[str, typer.Option("--username", "-u", help="Account that the gateway logs in with.")],
    domain: Annotated[str, typer.Option(help="Windows domain of the account.")] = "",
    fingerprint: Annotated[
        str, typer.Option(help="SHA-256 of the host's TLS certificate (hex). Without it the first one seen is pinned.")
    ] = "",
) -> None:
    """Register a host. Its password is asked for (or read from LUCID_HOST_PASSWORD, or standard input) and
    stored sealed; users of the gateway never see it."""

    async def work() -> None:
        checked_name(name, "NAME")
        if not username:
            raise InvalidInput("--username: expected an account's name, not an empty one")
        pinned = fingerprint.replace(":", "").lower()
        if pinned and (len(pinned) != 64 or set(pinned) - set("0123456789abcdef")):
            raise InvalidInput("--fingerprint: expected 64 hex digits (SHA-256)")
        where, port = split_address(address)
        entry = Host(name=name, address=where, port=port, fingerprint=pinned, added=SystemClock().now())
        async with running_platform() as platform:
            hosts = platform.port(Hosts)
            if any(other.name == name for other in await hosts.list()):
                raise Conflict(f"host {name!r} exists; to replace it, remove it first with `lucid host rm {name}`")
            credentials = HostCredentials(username=username, password=_password(username), domain=domain)
            await hosts.add(host=entry, credentials=credentials)
        out.print(f"Host [bold]{name}[/bold] is {where}:{port}. Reach it with:  lucid connect {name}")

    run(work())


@app.command("ls")
def list_hosts(json: JsonOption = False) -> None:
    """List the registered hosts."""

    async def work() -> None:
        async with running_platform() as platform:
            hosts = await platform.port(Hosts).list()
        if json:
            print_json([entry.model_dump(mode="json") for entry in hosts])
            return
        if not hosts:
            out.print("No hosts yet. Add one with:  lucid host add NAME ADDRESS --username USER")
            return
        rows = table("NAME", "ADDRESS", "PINNED", "ADDED")
        for entry in hosts:
            pin = entry.fingerprint[:16] if entry.fingerprint else "at first connection"
            rows.add_row(entry.name, f"{entry.address}:{entry.port}", pin, time_text(entry.added))
        out.print(rows)

    run(work())


@app.command("rm")
def remove(name: Annotated[str, typer.Argument(help="Name of the host.")]) -> None:
    """Remove a host and its sealed password. Its recordings stay."""

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            hosts = platform.port(Hosts)
            await known_host(hosts, name)
            await hosts.remove(name=name)
        out.print(f"Host {name} is removed.")

    run(work())
