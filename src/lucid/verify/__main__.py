"""`python -m lucid.verify`: the verifier alone, with nothing but base, model and crypto behind it."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lucid.base.errors import InvalidInput
from lucid.base.streams import escape_unencodable, replace_closed
from lucid.verify.files import Paths, verify_paths
from lucid.verify.text import EXIT_BAD_INPUT, exit_status, lines, printable


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lucid.verify",
        description="Verify a recorded session, or a copy of the log, offline.",
        epilog="Exit status: 0 verified, 1 a step failed, 2 bad input.",
    )
    parser.add_argument("bundle", nargs="?", type=Path, help="proof bundle; without it the log alone is verified")
    parser.add_argument("--key", required=True, help="the log's verifier key, or a file that holds it")
    parser.add_argument("--recording", type=Path, metavar="DIR", help="folder of the chunk files")
    parser.add_argument("--identity", type=Path, metavar="FILE", help="age identity that opens the recording")
    parser.add_argument("--shares", type=Path, metavar="FILE", help="keys of recipients that were added later")
    parser.add_argument("--log", type=Path, metavar="DIR", help="copy of the whole log")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="checkpoint of the log kept from before")
    parser.add_argument("--now", metavar="TIME", help="warn of what was due in the log before this UTC time")
    parser.add_argument("--strict", action="store_true", help="a step that warns fails")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run with command-line arguments; the result is the exit status."""
    options = vars(_parser().parse_args(arguments))
    as_json = options.pop("json")
    try:
        report = verify_paths(Paths(**options))
    except InvalidInput as error:
        sys.stderr.write(f"lucid.verify: {printable(error.detail)}\n")
        return EXIT_BAD_INPUT
    shown = [json.dumps(report.to_json(), indent=2)] if as_json else lines(report)
    try:
        sys.stdout.writelines(f"{line}\n" for line in shown)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python's end flushes once more
        sys.stderr.write(f"lucid.verify: cannot write the report: {error.strerror}\n")
        return EXIT_BAD_INPUT
    return exit_status(report)


if __name__ == "__main__":
    replace_closed()
    escape_unencodable()
    sys.exit(main())
