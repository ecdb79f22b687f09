"""One line of a measurement, and how a run is printed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

Outcome = Literal["met", "missed", "reported"]


@dataclass(frozen=True)
class Row:
    """`figure` is what was measured, with its unit; `goal` what was wanted, empty where none was set."""

    what: str
    figure: str
    goal: str = ""
    outcome: Outcome = "reported"


def at_least(what: str, value: float, goal: float, unit: str = "") -> Row:
    """A figure that should be `goal` or more."""
    outcome: Outcome = "met" if value >= goal else "missed"
    return Row(what, f"{value:.3g}{unit}", f"at least {goal:g}{unit}", outcome)


def at_most(what: str, value: float, goal: float, unit: str = "") -> Row:
    """A figure that should be `goal` or less."""
    outcome: Outcome = "met" if value <= goal else "missed"
    return Row(what, f"{value:.3g}{unit}", f"at most {goal:g}{unit}", outcome)


def show(title: str, rows: Iterable[Row]) -> None:
    """Print the rows of one benchmark."""
    colours = {"met": "green", "missed": "red", "reported": ""}
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("measured", "figure", "goal", ""):
        table.add_column(column)
    for row in rows:
        colour = colours[row.outcome]
        mark = f"[{colour}]{row.outcome}[/{colour}]" if colour and row.goal else ""
        table.add_row(row.what, row.figure, row.goal, mark)
    Console(width=140).print(table)
