"""Runs the benchmarks named on the command line, or all that need nothing but this repository."""

import importlib
import sys

from benchmarks.report import show

NAMES = ("sealing", "gateway", "video", "log", "platform", "api-gateway", "search")
NAMED = ("deployment",)
"""Those that run only when they are named: they need images, and the names and ports of a deployment."""


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in (*NAMES, *NAMED)]
    if unknown:
        sys.stderr.write(f"benchmarks: expected some of {', '.join((*NAMES, *NAMED))}, not {unknown[0]!r}\n")
        return 2
    for name in names or NAMES:
        module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        show(f"\n{name}: {(module.__doc__ or '').strip().splitlines()[0]}", module.run())
    return 0


sys.exit(main(sys.argv[1:]))
