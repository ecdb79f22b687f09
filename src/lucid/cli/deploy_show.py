"""How a bring-up is shown: a table that changes on a terminal, lines elsewhere, JSON lines for scripts."""

import json
import sys
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from rich.live import Live
from rich.text import Text

from lucid.cli.console import out, say, table
from lucid.verify.text import printable

if TYPE_CHECKING:
    from lucid.deploy.launch.condition import Condition
    from lucid.deploy.launch.progress import Event, Failure


class Display(Protocol):
    """Shows the events of one act, between entering and leaving it."""

    def __call__(self, event: "Event") -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def display(*, json: bool) -> Display:
    """The one that suits where the output goes."""
    if json:
        return JsonLines()
    return LiveTable() if sys.stdout.isatty() else Lines()


class Silent:
    """Shows nothing."""

    def __call__(self, event: "Event") -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class Lines(Silent):
    """A line for what matters."""

    def __call__(self, event: "Event") -> None:
        from lucid.deploy.launch import progress

        match event:
            case progress.Step(text):
                say(printable(text))
            case progress.PhaseBegun(number, title, containers):
                say(f"phase {number}, {title}: {', '.join(containers)}")
            case progress.PhaseReady(number, seconds, changed):
                say(f"phase {number} healthy after {seconds:.1f} s, {len(changed)} started")
            case progress.Failure():
                for line in failure_lines(event):
                    say(line)
            case progress.PhaseSeen():
                pass


class JsonLines(Silent):
    """Every event as a line of JSON: its kind in `event`, and its fields."""

    def __call__(self, event: "Event") -> None:
        print_line({"event": _kind(event), **asdict(event)})


class LiveTable(Lines):
    """The containers of the phase that is starting, as they change; what was done stands above them."""

    def __init__(self) -> None:
        self._live = Live(console=out, transient=True, refresh_per_second=8)
        self._phase: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: "Event") -> None:
        from lucid.deploy.launch import progress

        match event:
            case progress.PhaseBegun(number, title, containers):
                say(f"phase {number}, {title}")
                self._show(containers, {}, 0.0)
            case progress.PhaseSeen(_, conditions, seconds):
                self._show(self._phase, conditions, seconds)
            case _:
                if not isinstance(event, progress.Step):
                    self._live.update(Text())
                super().__call__(event)

    def _show(self, containers: tuple[str, ...], conditions: "dict[str, Condition] | Any", seconds: float) -> None:
        self._phase = containers
        rows = table("", "CONTAINER", "STATE")
        for name in containers:
            one = conditions.get(name)
            rows.add_row(mark(one), name, one.text if one else "not made yet")
        rows.caption = f"{seconds:.0f} s" if seconds >= 1 else ""
        self._live.update(rows)


def mark(one: "Condition | None") -> str:
    """A sign for how a container is."""
    if one is None:
        return "[dim]·[/dim]"
    if one.is_ready:
        return "[green]✓[/green]"
    return (
        "[yellow]…[/yellow]" if one.status in {"created", "running"} and one.health != "unhealthy" else "[red]✗[/red]"
    )


def failure_lines(failure: "Failure") -> list[str]:
    """A failure for a person: why, how the container is, what its probe said, the end of its log."""
    lines = [f"phase {failure.number} failed: {printable(failure.reason)}"]
    if (one := failure.condition) is not None:
        lines.append(f"  state  {one.text}{f': {printable(one.error)}' if one.error else ''}")
        if one.said:
            lines.append(f"  probe  {printable(one.said.splitlines()[-1])}")
    if failure.log:
        lines.append(f"  the last {len(failure.log)} lines of its log:")
        lines += [f"    {printable(line)}" for line in failure.log]
    return lines


def print_line(value: Any) -> None:
    """One document on one line."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def _kind(event: "Event") -> str:
    """`PhaseBegun` as `phase-begun`."""
    name = type(event).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
