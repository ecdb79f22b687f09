"""All commands of `lucid`: one module a group."""

from pathlib import Path
from typing import Annotated

import typer

import lucid
from lucid.cli import (
    account,
    connect,
    console,
    demo,
    deploy,
    desktop,
    doctor,
    host,
    host_access,
    images,
    keeping,
    log,
    node,
    search,
    session,
    up,
    verify,
)

app = typer.Typer(
    name="lucid",
    help=(
        "Remote desktops through a gateway that records every session and proves that the recording is "
        "complete and unaltered.\n\n"
        "Begin with `lucid up --demo`; then register a desktop with `lucid host add` and reach it with "
        "`lucid connect`."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lucid {lucid.__version__}")
        raise typer.Exit


@app.callback()
def root(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir", envvar="LUCID_DATA_DIR", help="Folder of all data and keys.", show_default="XDG data folder"
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    console.options.data_dir = data_dir.absolute() if data_dir else None


app.command("up")(up.up)
app.command("serve")(up.serve)
app.command("demo")(demo.demo)
app.command("connect")(connect.connect)
app.command("verify")(verify.verify)
app.command("doctor")(doctor.doctor)
host.app.command("access")(host_access.access)
app.add_typer(host.app, name="host")
app.add_typer(desktop.app, name="desktop")
app.add_typer(account.app, name="account")
for command in (keeping.hold, keeping.unhold, keeping.share, keeping.delete):
    session.app.command(command.__name__)(command)
app.add_typer(session.app, name="session")
app.add_typer(search.app, name="search")
app.add_typer(log.app, name="log")
app.add_typer(node.app, name="node")
app.add_typer(deploy.app, name="deploy")
app.add_typer(images.app, name="images")
