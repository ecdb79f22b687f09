"""`--host ssh://…` and `--context` of `lucid deploy`: the same command, done on the machine that they name."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

import lucid
from lucid.base.errors import InvalidInput, LucidError, Unavailable
from lucid.cli.console import fail
from lucid.cli.deploy_desk import where

OF_ENGINE = ("host", "context")
"""The parameters that name an engine. They are not passed on: there it is the machine's own."""


class Elsewhere(TyperCommand):
    """A command that is done on the machine of the engine when that is reached over ssh. What it was given here is
    passed on, except for a file of this machine, which goes there as standard input."""

    def invoke(self, ctx: Any) -> Any:
        from lucid.deploy.launch.elsewhere import SCHEME

        try:
            address, chosen = _address(ctx.params["host"], ctx.params["context"])
            if address.startswith(SCHEME):
                _not_shown_while_typed(ctx)
                status = _done_there(address, [str(self.name), *_typed(ctx)], ctx.params.get("file"))
                raise typer.Exit(status)
        except LucidError as error:
            fail(error)
        if address and not address.startswith("unix://"):
            ctx.params["context"] = chosen
        return super().invoke(ctx)


def _not_shown_while_typed(ctx: Any) -> None:
    """A terminal there, which hides what is typed, is there only when standard output is one here. Raises InvalidInput
    when a secret would be typed without."""
    is_asked = "file" in ctx.params and ctx.params["file"] is None and not ctx.params["clear"]
    if is_asked and sys.stdin.isatty() and not sys.stdout.isatty():
        raise InvalidInput("--file: expected, or a pipe: what is typed would be shown, since the output is no terminal")


def _address(host: str, context: str) -> tuple[str, str]:
    """Of the engine, as Docker's own commands find it, and the context that says so; empty: this machine's. Raises
    InvalidInput."""
    where(context, host)
    host = host or ("" if context else os.environ.get("DOCKER_HOST", ""))
    context = "" if host else context or os.environ.get("DOCKER_CONTEXT", "") or _usual_context()
    return host or (asyncio.run(_endpoint(context)) if context not in {"", "default"} else ""), context


def _usual_context() -> str:
    """The one that `docker context use` chose."""
    folder = os.environ.get("DOCKER_CONFIG")
    try:
        found = json.loads(((Path(folder) if folder else Path.home() / ".docker") / "config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(found.get("currentContext", "")) if isinstance(found, dict) else ""


async def _endpoint(context: str) -> str:
    from lucid.deploy.launch.engine import find_engine

    try:
        engine = await find_engine()
        form = "{{.Endpoints.docker.Host}}"
        return (await engine.text("context", "inspect", context, "--format", form)).strip()
    except Unavailable as error:
        raise InvalidInput(f"--context: {error.detail}") from None


def _typed(ctx: Any) -> Iterator[str]:
    """What was given on the command line, with values that cannot be taken for options."""
    arguments: list[str] = []
    for parameter in ctx.command.params:
        name = parameter.name
        if name in (*OF_ENGINE, "file") or ctx.get_parameter_source(name).name != "COMMANDLINE":
            continue
        value = ctx.params[name]
        if parameter.param_type_name == "argument":
            arguments += [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]
        elif parameter.is_flag:
            yield parameter.opts[0] if value else parameter.secondary_opts[0]
        else:
            for each in value if isinstance(value, list | tuple) else (value,):
                yield f"{parameter.opts[0]}={each}"
    if arguments:
        yield from ("--", *arguments)


def _done_there(address: str, words: list[str], file: str | None) -> int:
    """Run it there; returns its exit status. Raises InvalidInput, Unavailable."""
    from lucid.deploy.launch.elsewhere import NOT_FOUND, SSH_FAILED, ElsewhereSettings, Machine

    machine, settings = Machine.parse(address), ElsewhereSettings.load()
    terminal = file is None and sys.stdin.isatty() and sys.stdout.isatty()
    argv = machine.command(settings, ("deploy", "--caller", lucid.__version__, *words), terminal=terminal)
    try:
        with Path(file).open("rb") if file is not None else nullcontext() as given:
            status = subprocess.run(argv, stdin=given, check=False).returncode
    except OSError as error:
        raise InvalidInput(f"{error.filename}: {error.strerror}") from None
    if status == SSH_FAILED:
        raise Unavailable(f"{machine}: ssh failed, as it says itself")
    if status == NOT_FOUND:
        raise InvalidInput(
            f"{machine}: there is no command {settings.remote_lucid!r}; install Lucid there, or say where it is with "
            "LUCID_REMOTE_LUCID"
        )
    return status
