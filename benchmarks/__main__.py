"""Runs the benchmarks named on the command line, or all."""

import importlib
import sys

from benchmarks.report import show

NAMES = ("sealing", "gateway", "video", "log", "platform", "api-gateway", "search")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.stderr.write(f"benchmarks: expected some of {', '.join(NAMES)}, not {unknown[0]!r}\n")
        return 2
    for name in names or NAMES:
        module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        show(f"\n{name}: {(module.__doc__ or '').strip().splitlines()[0]}", module.run())
    return 0


sys.exit(main(sys.argv[1:]))
