"""`lucid session hold`, `unhold`, `share` and `delete`: what is decided about a recording after its end."""

import base64
from pathlib import Path
from typing import Annotated

import typer

from lucid.base.errors import InvalidInput
from lucid.cli.console import JsonOption, out, print_json, run, running_platform, say
from lucid.cli.session import SessionArgument, resolve
from lucid.ports.keeping import Keeping
from lucid.ports.recording import Pipeline

Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit trail.")]


def hold(session: SessionArgument, reason: Reason = "") -> None:
    """Forbid that a recording is deleted, by anybody or for its age, until `lucid session unhold`."""

    async def work() -> None:
        async with running_platform() as platform:
            found = await resolve(platform.port(Pipeline), session)
            await platform.port(Keeping).hold(session=found, reason=reason)
        say(f"The recording of {found} is held.")

    run(work())


def unhold(session: SessionArgument) -> None:
    """Lift the hold on a recording."""

    async def work() -> None:
        async with running_platform() as platform:
            found = await resolve(platform.port(Pipeline), session)
            await platform.port(Keeping).lift(session=found)
        say(f"The recording of {found} is not held.")

    run(work())


def share(
    session: SessionArgument,
    recipient: Annotated[str, typer.Option("--to", help="age recipient (age1…) of who may open it.")],
    wrapped: Annotated[
        Path | None,
        typer.Option("--wrapped", help="File with the data key as `age -r RECIPIENT` encrypts it (binary)."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Let an auditor open a recording: its key is wrapped to a further recipient, and the log says so.

    The platform wraps the key by itself while it has the owner's identity; otherwise give it with --wrapped.
    """

    async def work() -> None:
        key = None if wrapped is None else _read(wrapped)
        async with running_platform() as platform:
            found = await resolve(platform.port(Pipeline), session)
            made = await platform.port(Keeping).share(session=found, recipient=recipient, wrapped=key)
        if json:
            print_json(made.model_dump(mode="json"))
            return
        say(f"{recipient} can open the recording of {found}. Give them what this writes:")
        say(f"  lucid session export {found}")

    run(work())


def delete(
    session: SessionArgument,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a recording: its chunks and keys are destroyed. The log still proves that it existed, and that it was
    deleted."""

    async def work() -> None:
        async with running_platform() as platform:
            found = await resolve(platform.port(Pipeline), session)
            if not yes and not typer.confirm(f"Delete the recording of {found} for ever?"):
                raise InvalidInput("nothing was deleted")
            kept = await platform.port(Keeping).delete(session=found, reason=reason)
        assert kept.deletion is not None
        done = "is deleted" if kept.deletion.complete else "is being deleted; that goes on by itself"
        out.print(f"The recording of {found} {done}.")

    run(work())


def _read(path: Path) -> str:
    """The base64 of a file. Raises InvalidInput."""
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise InvalidInput(f"--wrapped: {error.strerror}: {path}") from None
