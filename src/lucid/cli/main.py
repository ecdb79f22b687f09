"""Entry point of the `lucid` script. It imports next to nothing, so that Ctrl-C is quiet from the first moment."""

import gc
import signal
import sys

from lucid.base.streams import escape_unencodable, replace_closed


def main() -> None:
    """Run the command. What the system refuses (a file, a folder, a full disk) becomes one line and exit status 2."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # loading takes a third of a second: an interrupt just ends it
    replace_closed()
    escape_unencodable()
    gc.disable()  # nothing of what is loaded is garbage
    from lucid.base.logging import configure_logging
    from lucid.cli.app import app

    gc.enable()
    configure_logging(json=False, level="WARNING")  # structlog's own would write to standard output, among the JSON
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        app()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except OSError as error:
        what = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        sys.stderr.write(f"lucid: {what}\n")
        sys.exit(2)
