"""Recorders for tests to kill. Each line on standard input, `FOLDER SESSION IDENTITY_FILE`, forks one, which
prints each frame that it acknowledged; a fork starts faster than an interpreter."""

import asyncio
import os
import sys
from pathlib import Path

from lucid.base.clock import SystemClock
from lucid.base.logging import configure_logging
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.drivers.disk.folder import DiskFolder
from lucid.services.session_recorder.service import SessionRecorder
from lucid.services.session_recorder.settings import SessionRecorderSettings
from tests.services.session_recorder.recording_kit import frames


def say(line: str) -> None:
    """One write, so that a kill never leaves half a line."""
    os.write(1, f"{line}\n".encode())


async def main(folder: Path, session: str, identity: Secret) -> None:
    settings = SessionRecorderSettings(
        platform_identity=identity, recipients=(age.recipient_of(identity),), segment_bytes=64 * 1024
    )
    recorder = SessionRecorder(settings, folder=DiskFolder(folder), clock=SystemClock())
    await recorder.start()
    say("ready")
    await recorder.open(session=session, playback=False)
    say("opened")
    number = 0
    while True:
        await recorder.append(session=session, frames=frames(number, 1, size=3000))
        say(str(number))
        number += 1


if __name__ == "__main__":
    # To standard error: on standard output, a line of the parent could come into one that is logged.
    configure_logging(json=False, level="CRITICAL")
    for line in sys.stdin:
        folder, session, identity = line.split()
        if (child := os.fork()) == 0:
            asyncio.run(main(Path(folder), session, Secret(Path(identity).read_text())))
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("dead")
