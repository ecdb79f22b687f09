"""`lucid desktop`: desktops on the built-in host."""

from typing import Annotated

import typer

from lucid.base.errors import Conflict, InvalidInput, NotFound
from lucid.cli.console import JsonOption, checked_name, out, print_json, run, running_platform, table, time_text
from lucid.ports.desktops import MAX_DESKTOPS, Desktops

app = typer.Typer(help="Create, list, stop, reset and remove desktops on the built-in host.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the desktop.")]


def _unknown(name: str) -> NotFound:
    return NotFound(f"no desktop {name!r}; see `lucid desktop ls`")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A short name for it, which its host has too: a-z 0-9 . _ -")],
    owner: Annotated[str, typer.Option(help="Whose desktop it is: who may connect to it.")] = "admin",
    json: JsonOption = False,
) -> None:
    """Create a desktop: an account with a home on the built-in host, which is reached as the host NAME.

    Its password is made up and stored sealed; nobody has to know it.
    """

    async def work() -> None:
        checked_name(name, "NAME")
        checked_name(owner, "--owner")
        async with running_platform() as platform:
            desktops = platform.port(Desktops)
            if any(desktop.name == name for desktop in await desktops.list()):
                raise Conflict(f"desktop {name!r} exists; see `lucid desktop ls`")
            desktop = await desktops.create(name=name, owner=owner)
        if json:
            print_json(desktop.model_dump(mode="json"))
        else:
            out.print(f"Desktop [bold]{name}[/bold] is ready. Reach it with:  lucid connect {name}")

    run(work())


@app.command("ls")
def list_desktops(
    owner: Annotated[str | None, typer.Option(help="Only this person's.")] = None, json: JsonOption = False
) -> None:
    """List the desktops and whether they run."""

    async def work() -> None:
        if owner is not None:
            checked_name(owner, "--owner")
        async with running_platform() as platform:
            desktops = await platform.port(Desktops).list(owner=owner)
        if json:
            print_json([desktop.model_dump(mode="json") for desktop in desktops])
            return
        if not desktops:
            out.print("No desktops. Create one with:  lucid desktop create NAME")
            return
        rows = table("NAME", "OWNER", "STATE", "ACCOUNT", "CREATED")
        for desktop in desktops:
            created = time_text(desktop.created)
            rows.add_row(desktop.name, desktop.owner, desktop.state.value, desktop.account, created)
        out.print(rows)

    run(work())


@app.command("stop")
def stop(name: NameArgument) -> None:
    """End all programs on a desktop. Its home stays."""

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            try:
                await platform.port(Desktops).stop(name=name)
            except NotFound:
                raise _unknown(name) from None
        out.print(f"Desktop {name} is stopped.")

    run(work())


@app.command("reset")
def reset(name: NameArgument) -> None:
    """End all programs on a desktop and make its home as on the first day: what is in it is lost."""

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            try:
                await platform.port(Desktops).reset(name=name)
            except NotFound:
                raise _unknown(name) from None
        out.print(f"Desktop {name} has a fresh home.")

    run(work())


@app.command("rm")
def remove(name: NameArgument) -> None:
    """Remove a desktop with its account, home and host. Its recordings stay."""

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            try:
                await platform.port(Desktops).delete(name=name)
            except NotFound:
                raise _unknown(name) from None
        out.print(f"Desktop {name} is removed.")

    run(work())


@app.command("quota")
def quota(
    owner: Annotated[str, typer.Argument(help="Whose desktops are counted.")],
    limit: Annotated[
        str | None, typer.Argument(help="How many they may be; `default`: as many as anybody's.", show_default=False)
    ] = None,
) -> None:
    """Show, or set, how many desktops a person may have."""

    async def work() -> None:
        checked_name(owner, "OWNER")
        wanted = _limit(limit)
        async with running_platform() as platform:
            desktops = platform.port(Desktops)
            if limit is None:
                found = await desktops.quota(owner=owner)
            else:
                found = await desktops.set_quota(owner=owner, limit=wanted)
        out.print(f"{owner} may have {found.limit} desktops{'' if found.own else ', as anybody may'}.")

    run(work())


def _limit(text: str | None) -> int | None:
    """The number that was typed. Raises InvalidInput."""
    if text is None or text == "default":
        return None
    if not text.isdecimal() or int(text) > MAX_DESKTOPS:
        raise InvalidInput(f"LIMIT: expected 0 to {MAX_DESKTOPS}, or default, not {text!r}")
    return int(text)
