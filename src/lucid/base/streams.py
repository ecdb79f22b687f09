"""The standard streams of a command."""

import io
import os
import sys
from pathlib import Path


def replace_closed() -> None:
    """Write to nowhere what goes to a stream that the caller closed (`>&-`): who does that wants the exit status alone,
    and Python has None in place of such a stream."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until the process ends


def escape_unencodable() -> None:
    """Show a character that the terminal's encoding lacks (a mark, a frame's line) as its code point, where Python
    raises."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
