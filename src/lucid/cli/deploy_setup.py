"""`lucid deploy init`, `unlock`, `lock`, `configure`, `preflight`: before containers run."""

import asyncio
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lucid.base.errors import InvalidInput, LucidError
from lucid.base.secret import Secret
from lucid.cli.console import EXIT_FAILED, JsonOption, fail, out, print_json, run, say, table
from lucid.cli.deploy_desk import ContextOption, DirOption, HostOption, alone, here_alone, where

if TYPE_CHECKING:
    from lucid.deploy.launch.fitness import Check

MARKS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "failed": "[red]✗[/red]"}
_PLATFORMS = {"x86_64": "linux/amd64", "amd64": "linux/amd64"}


def init(
    deploy_dir: DirOption = None,
    data_root: Annotated[Path | None, typer.Option("--data-root", help="Folder of all data, on the SSD.")] = None,
    logs_root: Annotated[Path | None, typer.Option("--logs-root", help="Folder of all logs.")] = None,
    public_address: Annotated[
        str | None, typer.Option("--public-address", help="Address or name that clients reach this machine by.")
    ] = None,
    bind_public: Annotated[
        str | None, typer.Option("--bind-public", help="Address of this machine on which the API and RDP are offered.")
    ] = None,
    bind_data: Annotated[
        str | None, typer.Option("--bind-data", help="Address of this machine on which MongoDB and Redis are offered.")
    ] = None,
    image_platform: Annotated[
        str | None, typer.Option("--platform", help="linux/arm64 or linux/amd64.", show_default="this machine's")
    ] = None,
    image_tag: Annotated[
        str | None, typer.Option("--tag", help="Tag of the images.", show_default="latest-ARCH")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other variable of the environment files."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take the defaults.")] = False,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Make a deployment: folders, keys, passwords, and settings that are encrypted at rest.

    Asks what it cannot guess. Nothing is started: `lucid deploy up` does that.
    """
    from lucid.deploy import variables
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch import lock, preparing
    from lucid.deploy.launch.place import Place

    ask = not yes and not json and sys.stdin.isatty()

    async def initialised(place: Place) -> Secret | None:
        preparing.check_new(place, Catalog(), chosen)  # before there is a folder for the lock
        async with lock.locked(place.lock, wait_s=lock.WAIT_S):
            return preparing.init(place, Catalog(), chosen)

    def answer(given: Path | str | None, question: str, default: Path | str) -> str:
        if given is None:
            return str(typer.prompt(question, default=str(default)) if ask else default)
        return str(given.absolute() if isinstance(given, Path) else given)

    try:
        here_alone(context, host)
        place = Place.load(deploy_dir)
        above = place.deploy_dir.parent
        chosen = {
            variables.DATA_ROOT.name: answer(data_root, "Folder of all data", above / "data"),
            variables.LOGS_ROOT.name: answer(logs_root, "Folder of all logs", above / "logs"),
            variables.PUBLIC_ADDRESS.name: answer(
                public_address, "Address or name that clients reach this machine by", platform.node()
            ),
            variables.BIND_PUBLIC.name: answer(
                bind_public, "Address of this machine for the API and RDP", variables.BIND_PUBLIC.default
            ),
            variables.BIND_DATA.name: answer(
                bind_data, "Address of this machine for MongoDB and Redis", variables.BIND_DATA.default
            ),
            variables.PLATFORM.name: answer(
                image_platform, "Platform of the images", _PLATFORMS.get(platform.machine(), variables.PLATFORM.default)
            ),
            variables.PUBLIC_KEYS_DIR.name: str(above / "public-keys"),
            variables.SECRETS_DIR.name: str(place.secrets),
        }
        architecture = chosen[variables.PLATFORM.name].rpartition("/")[2]
        chosen[variables.IMAGE_TAG.name] = answer(image_tag, "Tag of the images", f"latest-{architecture}")
        chosen |= _assignments(settings or [])
        password = asyncio.run(initialised(place))
    except LucidError as error:
        fail(error)
    shown = password.reveal() if password else ""
    if json:
        print_json(
            {"deployment": str(place.deploy_dir), "identity": str(place.identity), "administrator_password": shown}
        )
        return
    rows = table("", "")
    rows.add_row("deployment", escape(str(place.deploy_dir)))
    rows.add_row("identity", escape(str(place.identity)))
    rows.add_row("administrator", f"admin, password [bold]{escape(shown)}[/bold]  (shown only this once)")
    out.print(rows)
    say("")
    say(f"Keep copies of {place.encrypted_dir} and of {place.identity} somewhere else, apart from each other:")
    say("without them nobody can read the recordings.")
    say("Next:  lucid deploy preflight, then lucid deploy up")


def unlock(
    deploy_dir: DirOption = None, context: ContextOption = "", host: HostOption = "", json: JsonOption = False
) -> None:
    """Put the deployment's settings and secrets into memory, as after each boot."""
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch import preparing

    place = alone(lambda there: preparing.unlock(there, Catalog()), deploy_dir, context, host)
    if json:
        print_json({"unlocked": True, "folder": str(place.run_dir)})
    else:
        say(f"Settings and secrets are in {place.run_dir}.")


def lock(
    deploy_dir: DirOption = None, context: ContextOption = "", host: HostOption = "", json: JsonOption = False
) -> None:
    """Take settings and secrets out of memory. Containers that run go on, but none can be started."""
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch import preparing

    place = alone(lambda there: preparing.lock(there, Catalog()), deploy_dir, context, host)
    if json:
        print_json({"unlocked": False, "folder": str(place.run_dir)})
    else:
        say("Settings and secrets are locked away.")


def configure(
    settings: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Variables and their new values.")],
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Change settings of the deployment; `lucid deploy up` then starts anew what they concern."""
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch import preparing

    try:
        changes = _assignments(settings)
    except LucidError as error:
        fail(error)
    alone(lambda there: preparing.configure(there, Catalog(), changes), deploy_dir, context, host)
    if json:
        print_json({"changed": changes})
    else:
        say("Changed. Next:  lucid deploy up")


def preflight(
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Is this machine fit for it: engine, images, memory, disk, ports, networks, clock? Exit status 1 if not."""
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch.engine import find_engine
    from lucid.deploy.launch.place import Place
    from lucid.deploy.launch.preflight import preflight as look

    async def work() -> "list[Check]":
        return await look(Place.load(deploy_dir), await find_engine(where(context, host)), Catalog())

    checks = run(work())
    failed = any(check.state == "failed" for check in checks)
    if json:
        print_json({"fit": not failed, "checks": [asdict(check) for check in checks]})
    else:
        show_checks(checks)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def show_checks(checks: "list[Check]") -> None:
    """As a table, with what to do about each that is not as it should be."""
    rows = table("", "CHECK", "FOUND")
    for check in checks:
        remedy = f"\n→ {check.remedy}" if check.remedy else ""
        rows.add_row(MARKS[check.state], check.name, escape(check.detail + remedy))
    out.print(rows)


def _assignments(settings: list[str]) -> dict[str, str]:
    """Raises InvalidInput for what is not NAME=VALUE."""
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise InvalidInput(f"expected NAME=VALUE, not {setting!r}")
        found[name] = value
    return found
