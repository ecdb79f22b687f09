"""`lucid connect`: a fresh ticket, as a file for any RDP client."""

import os
import shutil
import stat
from pathlib import Path
from typing import Annotated

import typer

from lucid.access.clients import freerdp_line, rdp_file
from lucid.base.errors import InvalidInput
from lucid.cli.console import checked_name, out, run, running_platform, say
from lucid.cli.host import known_host
from lucid.model.policy import CHANNELS, Policy
from lucid.ports.access import Gateway, Hosts, Tickets


def policy_of(
    allow: list[str], idle_limit_s: int, total_limit_s: int, playback: bool, index_typed_text: bool = False
) -> Policy:
    """The policy that the options ask for. Raises InvalidInput for an unknown channel or a wrong limit."""
    names = {name.strip() for item in allow for name in item.split(",") if name.strip()}
    if unknown := sorted(names - set(CHANNELS)):
        raise InvalidInput(f"--allow: expected some of {', '.join(CHANNELS)}, not {unknown[0]!r}")
    return Policy(
        **dict.fromkeys(names, True),
        idle_limit_s=idle_limit_s,
        total_limit_s=total_limit_s,
        playback=playback,
        index_typed_text=index_typed_text,
    )


def write_privately(path: Path, text: str) -> None:
    """Write what the user alone may read. A file is made anew, so that nobody who may read an old one reads this; what
    is no file (/dev/stdout, a pipe, a link) is written to and stays what it is."""
    if os.path.lexists(path) and stat.S_ISREG(path.lstat().st_mode):
        path.unlink()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", newline="") as file:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            os.fchmod(handle, 0o600)
        file.write(text)


def connect(
    host: Annotated[str, typer.Argument(help="A host of `lucid host ls`.")],
    user: Annotated[str, typer.Option(help="Who connects; stands in the recording's manifest.")] = "admin",
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Redirections to allow: {', '.join(CHANNELS)}. All are denied by default. Drive and printer share an "
            "RDP channel (rdpdr), so each lets the other through; usb opens all dynamic channels (drdynvc)."
        ),
    ] = None,
    ttl: Annotated[int, typer.Option(min=5, max=86_400, help="Seconds within which the ticket must be used.")] = 120,
    idle_limit: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds without input that end it.")] = 1800,
    total_limit: Annotated[int, typer.Option(min=1, max=604_800, help="Seconds after which it ends.")] = 28_800,
    playback: Annotated[bool, typer.Option(help="Let the platform play the recording, not only its owner.")] = False,
    index_typed_text: Annotated[
        bool,
        typer.Option(
            "--index-typed-text",
            help="Make what is typed searchable, outside of the encrypted recording: passwords too.",
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The .rdp file.", show_default="HOST.rdp")
    ] = None,
) -> None:
    """Get a single-use ticket for HOST and write it as an .rdp file for any RDP client.

    The file holds the ticket, never the host's password: the gateway logs in by itself.
    """

    async def work() -> None:
        policy = policy_of(allow or [], idle_limit, total_limit, playback, index_typed_text)
        checked_name(host, "HOST")
        checked_name(user, "--user")
        path = output or Path(f"{host}.rdp")
        async with running_platform() as platform:
            await known_host(platform.port(Hosts), host)
            endpoint = await platform.port(Gateway).endpoint()
            ticket = await platform.port(Tickets).issue(user=user, host=host, policy=policy, ttl_s=ttl)
        write_privately(path, rdp_file(endpoint, ticket, policy))
        say(f"Wrote {path}: a ticket for {host}, good once, until {ticket.expires[11:19]} UTC.")
        out.print("\nConnect with FreeRDP:")
        program = "xfreerdp3" if shutil.which("xfreerdp3") and not shutil.which("xfreerdp") else "xfreerdp"
        say(f"  {freerdp_line(path, endpoint, program=program)}")
        out.print("or open the file with Remote Desktop (mstsc) or Remmina.")

    run(work())
