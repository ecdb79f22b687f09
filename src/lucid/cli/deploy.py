"""`lucid deploy`: the platform as containers."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import lucid
from lucid.base.errors import InvalidInput, LucidError
from lucid.cli import deploy_run, deploy_secret, deploy_setup, deploy_verify
from lucid.cli.console import EXIT_FAILED, fail, say
from lucid.cli.deploy_elsewhere import Elsewhere

app = typer.Typer(help="Bring the platform up as containers, and keep it up.", no_args_is_help=True)


@app.callback()
def root(
    caller: Annotated[str, typer.Option("--caller", hidden=True, help="Version that calls from elsewhere.")] = "",
) -> None:
    if caller not in {"", lucid.__version__}:
        fail(InvalidInput(f"this machine has Lucid {lucid.__version__}, the one that calls it {caller}: use the same"))


class TargetName(StrEnum):
    """What the files are for."""

    compose = "compose"
    swarm = "swarm"


@app.command("render")
def render(
    out: Annotated[Path, typer.Option("--out", help="Folder that the paths are below.")] = Path(),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file differs.")] = False,
    target: Annotated[TargetName | None, typer.Option("--target", help="Only the files for it; default: all.")] = None,
) -> None:
    """Write every file of a deployment out of the catalog: Compose files, environment examples, networks and more.

    Only what differs is written, and only over files that this command wrote.
    """
    from lucid.deploy import registry, writing
    from lucid.deploy.catalog import Catalog

    try:
        if not out.is_dir():
            raise InvalidInput(f"--out: {out} is no folder")
        files = registry.render(Catalog(), target=target.value if target else None)
        if not check:
            for path in writing.write(files, out):
                say(path)
            return
        stale = writing.differences(files, out)
    except LucidError as error:
        fail(error)
    for path, what in stale.items():
        sys.stderr.write(f"{path}: {what}\n")
    if stale:
        sys.stderr.write("lucid: run `lucid deploy render`, and commit what it writes\n")
        raise typer.Exit(EXIT_FAILED)


for done in (
    deploy_setup.init,
    deploy_setup.preflight,
    deploy_setup.unlock,
    deploy_setup.lock,
    deploy_setup.configure,
    deploy_secret.secret,
    deploy_run.up,
    deploy_run.status,
    deploy_run.logs,
    deploy_run.restart,
    deploy_run.down,
    deploy_run.upgrade,
    deploy_run.rollback,
    deploy_run.history,
    deploy_verify.verify,
):
    app.command(done.__name__, cls=Elsewhere)(done)
