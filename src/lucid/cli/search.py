"""`lucid search`: the search index."""

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lucid.base.errors import LucidError
from lucid.cli.console import JsonOption, err, print_json, run, running_platform, say
from lucid.ports.search import Rebuild, Search

WAIT_S = 5.0

app = typer.Typer(help="The search index.", no_args_is_help=True)


@app.command("rebuild")
def rebuild(json: JsonOption = False) -> None:
    """Make the whole search index again from the stores, while searches go on in the old one."""

    async def work() -> Rebuild:
        async with running_platform() as platform:
            search = platform.port(Search)
            await search.rebuild()
            with Progress(
                TextColumn("Indexing {task.fields[kind]}"),
                BarColumn(),
                MofNCompleteColumn(),
                console=err,
                transient=True,
                disable=not err.is_terminal,
            ) as bar:
                task = bar.add_task("rebuild", total=None, kind="")
                while (state := await search.rebuild_state(wait_s=WAIT_S)).running:
                    bar.update(task, completed=state.done, total=max(state.expected, state.done), kind=state.kind)
        if state.error:
            raise LucidError(f"the index was not rebuilt, the old one is still there: {state.error}")
        return state

    state = run(work())
    if json:
        print_json(state.model_dump(mode="json"))
    else:
        say(f"The search index is rebuilt: {state.indexed} documents.")
