"""`python -m lucid.runtime NAME`: one service alone, as containers run it; without NAME the one of LUCID_SERVICE.

It does what `lucid serve NAME` does, and loads nothing of the command line.
"""

import gc
import os
import sys

from lucid.runtime.lean import leave_out

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


def main() -> int:
    """Run the service until it is asked to end; the exit status. An expected error is one line."""
    if len(sys.argv) > 2 or not (name := "".join(sys.argv[1:]) or os.environ.get("LUCID_SERVICE", "")):
        sys.stderr.write("usage: python -m lucid.runtime NAME\n")
        return EXIT_BAD_INPUT
    gc.disable()  # nothing of what is loaded is garbage
    leave_out()
    from lucid.base.errors import LucidError
    from lucid.runtime.running import log_as, run
    from lucid.runtime.serve import serve_until_stopped
    from lucid.runtime.settings import RuntimeSettings

    gc.enable()
    try:
        settings = RuntimeSettings.load()
        log_as(name, settings)
        return run(serve_until_stopped(name, settings))
    except LucidError as error:
        sys.stderr.write(f"lucid: {error.detail}\n")
        return EXIT_BAD_INPUT if error.status < 500 else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
