"""`lucid node`: the machines that carry the platform, and what they have earned."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lucid.base.clock import SystemClock
from lucid.base.errors import Corrupted, InvalidInput, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.cli.console import JsonOption, checked_name, out, print_json, run, running_platform, say, table, time_text
from lucid.model.node import Node, NodeState
from lucid.ports.nodes import Nodes

if TYPE_CHECKING:
    import httpx

app = typer.Typer(help="Nodes: register them, see whether they are there, compute and check their work credits.")

MonthOption = Annotated[str, typer.Option("--month", help="A month, UTC, such as 2026-11.", show_default="this month")]


def _month(text: str) -> str:
    """The month that was asked for, or the running one. Raises InvalidInput."""
    from lucid.nodes.month import bounds, month_of

    month = text or month_of(SystemClock().now())
    bounds(month)
    return month


@app.command("keygen")
def keygen(
    name: Annotated[str, typer.Argument(help="Name of the node.")],
    file: Annotated[Path, typer.Argument(help="Where to keep the private key, on the node itself.")],
) -> None:
    """Make a node's key: the private half into a new file of mode 0600, the public half printed."""
    from lucid.crypto.note import SignerKey

    async def work() -> None:
        checked_name(name, "NAME")
        key = SignerKey.generate(name)
        try:
            file.touch(mode=0o600, exist_ok=False)
            file.write_text(key.format().reveal() + "\n")
        except OSError as error:
            raise InvalidInput(f"FILE: {error.strerror}: {file}") from None
        say(key.verifier.format())

    run(work())


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name of the node.")],
    key: Annotated[str, typer.Argument(help="Its public key, as `lucid node keygen` printed it.")],
    recorder: Annotated[list[str] | None, typer.Option(help="A name under which it records; may be repeated.")] = None,
    pool: Annotated[str, typer.Option(help="Pool that it belongs to.")] = "default",
) -> None:
    """Register a node. The log says so from then on."""

    async def work() -> None:
        checked_name(name, "NAME")
        node = Node(name=name, key=key, pool=pool, recorders=tuple(recorder or ()), registered=SystemClock().now())
        async with running_platform() as platform:
            await platform.port(Nodes).register(node=node)
        out.print(f"Node [bold]{name}[/bold] is registered.")

    run(work())


@app.command("ls")
def list_nodes(json: JsonOption = False) -> None:
    """List the nodes, and when each was heard last."""

    async def work() -> None:
        async with running_platform() as platform:
            found = await platform.port(Nodes).list()
        if json:
            print_json([status.model_dump(mode="json") for status in found])
            return
        rows = table("NAME", "POOL", "STATE", "HEARD", "RECORDERS")
        for status in found:
            node = status.node
            recorders = ", ".join(node.recorders) or ("all that no other node has" if status.own else "")
            rows.add_row(
                node.name, node.pool, node.state.value, time_text(status.heard) if status.heard else "never", recorders
            )
        out.print(rows)

    run(work())


@app.command("maintenance")
def maintenance(
    name: Annotated[str, typer.Argument(help="Name of the node.")],
    end: Annotated[bool, typer.Option("--end", help="Take it back into service.")] = False,
) -> None:
    """Take a node out of service: that time is neither due nor paid."""

    async def work() -> None:
        checked_name(name, "NAME")
        state = NodeState.ACTIVE if end else NodeState.MAINTENANCE
        async with running_platform() as platform:
            await platform.port(Nodes).set_state(name=name, state=state)
        out.print(f"Node {name}: {state.value}.")

    run(work())


@app.command("rm")
def remove(name: Annotated[str, typer.Argument(help="Name of the node.")]) -> None:
    """Remove a node. What it has earned stays."""

    async def work() -> None:
        checked_name(name, "NAME")
        async with running_platform() as platform:
            await platform.port(Nodes).remove(name=name)
        out.print(f"Node {name} is removed.")

    run(work())


@app.command("credits")
def credits_of(month: MonthOption = "", json: JsonOption = False) -> None:
    """Compute everybody's work credits of a month from the log (docs/credits.md has the formula)."""

    async def work() -> None:
        from pydantic import TypeAdapter

        from lucid.nodes.credits import NodeCredits

        wanted = _month(month)
        async with running_platform() as platform:
            answer = await platform.port(Nodes).credits(month=wanted)
        found = TypeAdapter(list[NodeCredits]).validate_json(answer)
        if json:
            print_json([item.model_dump(mode="json") for item in found])
            return
        rows = table("NODE", "#SESSIONS", "#MINUTES", "#MIB", "#HEARD", "#DUE", "#CREDITS", "ELIGIBLE")
        for item in found:
            counts = (item.sessions, item.session_minutes, item.recorded_mib, item.heard_minutes, item.due_minutes)
            eligible = "yes" if item.eligible else f"no: {'; '.join(item.reasons)}"
            rows.add_row(item.node, *map(str, counts), str(item.credits), eligible)
        out.print(rows)
        if found:
            out.print(f"\n{wanted}, as far as the log tells: until {time_text(found[0].until)} UTC", style="dim")

    run(work())


@app.command("statement")
def statement(
    name: Annotated[str, typer.Argument(help="Name of the node.")],
    month: MonthOption = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.", show_default="output")] = None,
) -> None:
    """Write a node's statement: its credits with every log entry that they follow from."""

    async def work() -> None:
        checked_name(name, "NAME")
        wanted = _month(month)
        async with running_platform() as platform:
            made = await platform.port(Nodes).statement(name=name, month=wanted)
        if output is None:
            sys.stdout.write(made.decode() + "\n")
            return
        try:
            output.write_bytes(made)
        except OSError as error:
            raise InvalidInput(f"--output: {error.strerror}: {output}") from None
        out.print(f"Wrote {output}. Anybody checks it with:  lucid node check {output} --log LOG --key KEY")

    run(work())


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A statement.")],
    log: Annotated[str, typer.Option("--log", help="The log's files: a folder, or where they are served (https://…).")],
    key: Annotated[str, typer.Option("--key", help="The log's key, as `lucid log key` prints it.")],
    json: JsonOption = False,
) -> None:
    """Recompute a statement from the log alone. Needs no platform. Exit status 1 when it does not fit."""

    async def work() -> None:
        from lucid.crypto.note import VerifierKey
        from lucid.nodes.statement import Statement
        from lucid.nodes.statement import check as check_statement

        try:
            made = Statement.from_bytes(file.read_bytes())
        except OSError as error:
            raise InvalidInput(f"FILE: {error.strerror}: {file}") from None
        found = check_statement(made, LogAt(log), VerifierKey.parse(key))
        if json:
            print_json(found.model_dump(mode="json"))
            return
        eligible = "eligible" if found.eligible else "not eligible"
        out.print(f"The log gives node {found.node} {found.credits} credits for {found.month}, {eligible}: it fits.")

    run(work())


@app.command("heartbeat")
def heartbeat(
    api: Annotated[str, typer.Option("--api", help="Where the platform's API is, such as https://lucid.example.")],
    name: Annotated[str, typer.Option("--node", help="Name of this node.")],
    key_file: Annotated[Path, typer.Option("--key-file", help="The file that `lucid node keygen` made.")],
    every: Annotated[float, typer.Option(help="Seconds between heartbeats; 0: send one and leave.", min=0)] = 30.0,
) -> None:
    """Run on a node: tell the platform that it is there."""

    async def work() -> None:
        import asyncio
        import time

        import httpx

        import lucid
        from lucid.crypto.note import SignerKey, sign
        from lucid.model.node import Heartbeat, heartbeat_text

        checked_name(name, "--node")
        try:
            key = SignerKey.parse(Secret(key_file.read_text().strip()))
        except OSError as error:
            raise InvalidInput(f"--key-file: {error.strerror}: {key_file}") from None
        async with httpx.AsyncClient(timeout=10.0) as http:
            while True:
                # Milliseconds of the clock rise from one run to the next.
                said = Heartbeat(
                    node=name,
                    sequence=time.time_ns() // 1_000_000,
                    time=SystemClock().now(),
                    version=lucid.__version__,
                )
                note = sign(heartbeat_text(said), key)
                await _send(http, f"{api.rstrip('/')}/api/v1/nodes/{name}/heartbeats", note, once=not every)
                if not every:
                    return
                await asyncio.sleep(every)

    run(work())


async def _send(http: "httpx.AsyncClient", url: str, note: str, *, once: bool) -> None:
    """Send a heartbeat. One that is not taken is said and, unless `once`, followed by the next."""
    import httpx

    try:
        answer = await http.post(url, json={"note": note})
        detail = "" if answer.is_success else f"{answer.status_code} {answer.text[:200]}"
    except httpx.HTTPError as error:
        detail = f"{url}: {error or type(error).__name__}"
    if detail and once:
        raise Unavailable(f"the heartbeat was not taken: {detail}")
    if detail:
        sys.stderr.write(f"lucid: the heartbeat was not taken: {detail}\n")


class LogAt:
    """The files of a log in a folder or below an address."""

    def __init__(self, where: str) -> None:
        self._where = where.rstrip("/")
        self._remote = where.startswith(("https://", "http://"))

    def read(self, path: str) -> bytes:
        """The file; where a log has grown, the wider tile in place of a partial one."""
        try:
            return self._read(path)
        except NotFound:
            whole, _, partial = path.partition(".p/")
            if not partial:
                raise
            return self._wider(whole, int(partial))

    def _wider(self, path: str, width: int) -> bytes:
        if not self._remote:
            for candidate in Path(self._where).glob(f"{path}.p/*"):
                if candidate.name.isdecimal() and int(candidate.name) >= width:
                    return candidate.read_bytes()
        return self._read(path)

    def _read(self, path: str) -> bytes:
        if not self._remote:
            try:
                return (Path(self._where) / path).read_bytes()
            except OSError:
                raise NotFound(f"--log: no file {path} in {self._where}") from None
        import httpx

        try:
            answer = httpx.get(f"{self._where}/{path}", timeout=30.0)
        except httpx.HTTPError as error:
            raise Unavailable(f"--log: {self._where}: {error or type(error).__name__}") from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(f"--log: no file {path} at {self._where}")
        if not answer.is_success:
            raise Corrupted(f"--log: {self._where}/{path} answers {answer.status_code}")
        return answer.content
