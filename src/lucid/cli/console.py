"""What all commands share: where the data is, how to print, how errors end a command."""

import asyncio
import json
import os
import shlex
import shutil
import sys
from collections.abc import Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from lucid.base.errors import InvalidInput, LucidError
from lucid.base.ids import NAME_PATTERN
from lucid.model.canonical import first_problem
from lucid.verify.text import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lucid.runtime.client import RemotePlatform
    from lucid.runtime.paths import DataDir

T = TypeVar("T")

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2

PIPED_WIDTH = 200
"""Columns of a table that goes to no terminal: nothing is cut off."""

# Without emoji codes: a fingerprint with ":ab:" in it is no picture.
out = Console(emoji=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH)
err = Console(stderr=True, emoji=False)


@dataclass
class Options:
    """Options of the whole command line."""

    data_dir: Path | None = None


options = Options()

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")]


def data_dir() -> "DataDir":
    """The installation that the command is about."""
    from lucid.runtime.paths import DataDir, default_data_dir

    return DataDir(options.data_dir or default_data_dir())


@asynccontextmanager
async def running_platform() -> "AsyncIterator[RemotePlatform]":
    """The platform that runs on the data folder. Raises Unavailable when none does."""
    from lucid.runtime.client import RemotePlatform

    async with RemotePlatform.of(data_dir()) as platform:
        yield platform


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine. An expected error becomes one line and exit status 2 for bad input, else 1."""
    try:
        return asyncio.run(work)
    except LucidError as error:
        fail(error)
    except ValidationError as error:
        fail(InvalidInput(first_problem(error)))


def fail(error: LucidError) -> NoReturn:
    """Print one line on standard error and leave with the error's exit status."""
    sys.stderr.write(f"lucid: {printable(error.detail)}\n")
    raise typer.Exit(EXIT_BAD_INPUT if error.status < 500 else EXIT_FAILED)


def checked_name(text: str, what: str) -> str:
    """`text`, if it can name a host or a user. Raises InvalidInput that begins with `what`."""
    if not NAME_PATTERN.fullmatch(text):
        raise InvalidInput(f"{what}: expected 1 to 63 of a-z 0-9 . _ -, a letter or digit first, not {text!r}")
    return text


def say(text: str) -> None:
    """Print a sentence or a command as it is: not wrapped, coloured or read as markup."""
    out.print(text, soft_wrap=True, highlight=False, markup=False)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def table(*columns: str) -> Table:
    """A table in the house style. A leading '#' aligns a column to the right. The last column folds what is too
    long; in the others a row stays a line."""
    made = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for place, column in enumerate(columns, 1):
        last = place == len(columns)
        made.add_column(
            column.removeprefix("#"),
            justify="right" if column.startswith("#") else "left",
            no_wrap=not last,
            overflow="fold" if last else "ellipsis",
        )
    return made


def time_text(time: str) -> str:
    """A time of docs/format.md for a table: to the second, in UTC."""
    return time[:19].replace("T", " ")


def command_name(data: "DataDir") -> str:
    """How the user can type this command: by its path if it is not on PATH, with the data folder if it is not
    the default one."""
    from lucid.runtime.paths import default_data_dir

    name = "lucid" if shutil.which("lucid") else str(Path(sys.argv[0]).absolute())
    name = shlex.quote(name)
    return name if data.root == default_data_dir() else f"{name} --data-dir {shlex.quote(str(data.root))}"


def short_id(session: str) -> str:
    """The first 13 characters of a session id: its time to the millisecond, enough to name it."""
    return session[:13]


def size_text(count: int) -> str:
    """Bytes for a person: 1.2 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")
