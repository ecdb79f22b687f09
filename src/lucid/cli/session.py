"""`lucid session`: recordings, their state, their proofs."""

import contextlib
import re
import shlex
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lucid.base.clock import SystemClock
from lucid.base.errors import LucidError, NotFound
from lucid.base.ids import SessionId
from lucid.cli.console import (
    JsonOption,
    data_dir,
    err,
    fail,
    out,
    print_json,
    run,
    running_platform,
    say,
    short_id,
    size_text,
    table,
    time_text,
)
from lucid.cli.verify import verify_files
from lucid.model.session import Session, SessionState
from lucid.ports.keeping import Keeping
from lucid.ports.recording import Pipeline

app = typer.Typer(help="Recorded sessions: list, show, export, verify.", no_args_is_help=True)

SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
SessionArgument = Annotated[str, typer.Argument(help="Id of a session, its first characters, or `last`.")]
STATE_COLOURS = {SessionState.PROVEN: "green", SessionState.FAILED: "red"}


async def resolve(pipeline: Pipeline, text: str) -> SessionId:
    """The id that `text` means: an id, the beginning of exactly one recent id, or `last`. Raises NotFound."""
    if SESSION_ID.fullmatch(text):
        with contextlib.suppress(NotFound):
            return (await pipeline.get(session=text)).id
    recent = await pipeline.list(limit=200)
    if text == "last" and not recent:
        raise NotFound("no session yet; record one with `lucid demo` or `lucid connect`")
    matches = [entry.id for entry in recent if text == "last" or (text and entry.id.startswith(text))]
    if not matches:
        raise NotFound(f"no session {text!r}; see `lucid session ls`")
    if text != "last" and len(matches) > 1:
        raise NotFound(f"{text!r} is the beginning of {len(matches)} sessions; give more of the id")
    return matches[0]


def _state(session: Session) -> str:
    colour = STATE_COLOURS.get(session.state, "yellow")
    return f"[{colour}]{session.state}[/{colour}]"


@app.command("ls")
def list_sessions(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many of the newest.")] = 20,
    json: JsonOption = False,
) -> None:
    """List sessions, newest first."""

    async def work() -> None:
        async with running_platform() as platform:
            sessions = await platform.port(Pipeline).list(limit=limit)
        if json:
            print_json([session.model_dump(mode="json", exclude={"chunks"}) for session in sessions])
            return
        if not sessions:
            out.print("No sessions yet. Record one with:  lucid demo")
            return
        rows = table("SESSION", "USER", "HOST", "OPENED", "STATE", "END", "#STORED")
        for session in sessions:
            rows.add_row(
                short_id(session.id),
                session.user,
                session.host,
                time_text(session.opened)[:-3],
                _state(session),
                session.end.reason if session.end else "",
                size_text(session.stored_bytes),
            )
        out.print(rows)

    run(work())


@app.command("show")
def show(session: SessionArgument, json: JsonOption = False) -> None:
    """Show all that is known of a session."""

    async def work() -> None:
        async with running_platform() as platform:
            pipeline = platform.port(Pipeline)
            found = await pipeline.get(session=await resolve(pipeline, session))
            kept = await platform.port(Keeping).kept(session=found.id)
        if json:
            print_json(found.model_dump(mode="json") | {"kept": kept.model_dump(mode="json", exclude={"session"})})
            return
        rows = table("", "")
        rows.add_row("session", found.id)
        rows.add_row("user", found.user)
        rows.add_row("host", found.host)
        rows.add_row("state", _state(found))
        rows.add_row("opened", found.opened)
        rows.add_row("closed", found.closed or "")
        if found.end:
            rows.add_row("end", f"{found.end.reason} {escape(found.end.detail)}")
        if found.recorder:
            rows.add_row("recorder", f"{found.recorder.id} number {found.recorder.sequence}")
        rows.add_row("policy", found.policy)
        rows.add_row("chunks", f"{len(found.chunks)} ({size_text(found.stored_bytes)} stored)")
        rows.add_row("frames", f"{found.frames} ({size_text(found.recorded_bytes)})")
        rows.add_row("log entries", f"opening {found.opened_index}, closing {found.closed_index}")
        rows.add_row("manifest", found.manifest or "")
        if kept.hold:
            rows.add_row("held", f"by {kept.hold.by} since {time_text(kept.hold.time)} {escape(kept.hold.reason)}")
        for share in kept.shares:
            rows.add_row("shared", f"with {share.recipient} by {share.by} on {time_text(share.time)}")
        if kept.deletion:
            rows.add_row("deleted", f"by {kept.deletion.by} on {time_text(kept.deletion.time)}")
        if found.error:
            rows.add_row("waiting", f"[red]{escape(found.error)}[/red]")
        out.print(rows)

    run(work())


async def _export(session: str, folder: Path | None) -> Path:
    from lucid.runtime.export import export_session

    async with running_platform() as platform:
        pipeline = platform.port(Pipeline)
        found = await resolve(pipeline, session)
        target = folder or Path(f"lucid-{found}")
        with Progress(
            TextColumn("Exporting"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("chunks"),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        ) as bar:
            task = bar.add_task("chunks", total=None)
            await export_session(
                platform, found, target, progress=lambda done, total: bar.update(task, completed=done, total=total)
            )
    return target


@app.command("export")
def export(
    session: SessionArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write.", show_default="lucid-SESSION")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a session's proof bundle, its encrypted chunks and the log's key into a folder.

    The folder can be verified on any machine, without a network, with `lucid verify`.
    """
    from lucid.runtime.export import export_paths

    paths = export_paths(run(_export(session, output)))
    if json:
        print_json({name: str(path) for name, path in asdict(paths).items() if path.exists()})
        return
    bundle, chunks, key = (shlex.quote(str(path)) for path in (paths.bundle, paths.chunks, paths.key))
    say(f"Wrote {paths.folder}. Check it anywhere, with the log's key from a source that you trust:")
    say(f"  lucid verify {bundle} --recording {chunks} --key {key}")


@app.command("verify")
def verify(session: SessionArgument, json: JsonOption = False) -> None:
    """Export a session to a temporary folder and run every step of the offline verifier on it, the whole log
    of this installation included."""
    from lucid.runtime.export import export_paths

    with tempfile.TemporaryDirectory(prefix="lucid-verify-") as folder:
        paths = export_paths(run(_export(session, Path(folder))))
        identity = data_dir().keys / "owner-identity"
        verify_files(
            bundle=paths.bundle,
            key=str(paths.key),
            recording=paths.chunks,
            identity=identity if identity.exists() else None,
            log=data_dir().of("block-manager"),
            now=SystemClock().now(),
            json=json,
        )


@app.command("screenshot")
def screenshot(
    session: SessionArgument,
    at: Annotated[float | None, typer.Option(help="Seconds since the session began.", show_default="its end")] = None,
    identity: Annotated[
        Path | None, typer.Option(help="age identity that opens the recording.", show_default="the owner's")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="PNG file.", show_default="SESSION.png")] = None,
) -> None:
    """Draw what the client's screen showed at a moment of a recording."""
    from lucid.runtime.export import export_paths
    from lucid.runtime.picture import png_of, read_identity, recorded_frames, screen_at

    with tempfile.TemporaryDirectory(prefix="lucid-screenshot-") as folder:
        paths = export_paths(run(_export(session, Path(folder))))
        target = output or Path(f"{session}.png")
        try:
            key = read_identity(identity or data_dir().keys / "owner-identity")
            with err.status("Drawing…"):
                png = png_of(screen_at(recorded_frames(paths, key), None if at is None else int(at * 1_000_000)))
        except LucidError as error:
            fail(error)
        target.write_bytes(png)
    say(f"Wrote {target}.")
