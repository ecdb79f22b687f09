"""kill -9 at random moments: whatever was acknowledged is there, and what is there is a prefix."""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path

from lucid.base.ids import new_session_id
from lucid.model.session import EndReason
from tests.services.session_recorder.recording_kit import PLATFORM, frames, read_recording, started

ROUNDS = 30


async def killed_recorder(nursery: Process, order: str, after_s: float) -> list[str]:
    """Have a recorder run, and kill it `after_s` after it is ready; what it had said by then."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(f"{order}\n".encode())
    pid, said = 0, list[str]()
    while pid == 0 or "ready" not in said:
        line = (await nursery.stdout.readline()).decode().strip()
        assert line not in ("", "dead"), said
        if line.startswith("pid "):
            pid = int(line[4:])
        else:
            said.append(line)
    await asyncio.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    while said[-1] != "dead":
        said.append((await nursery.stdout.readline()).decode().strip())
    return said


async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    identity = tmp_path / "identity"
    identity.write_text(PLATFORM.reveal())
    module = "tests.services.session_recorder.recording_child"
    pipe = asyncio.subprocess.PIPE
    nursery = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdin=pipe, stdout=pipe)
    moments = random.Random(2)
    numbers = []
    for round_ in range(ROUNDS):
        session = new_session_id()
        # Every third dies while it opens the recording, the others while frames come in.
        limit_s = 0.01 if round_ % 3 == 0 else 0.3
        said = await killed_recorder(
            nursery, f"{tmp_path / 'recorder'} {session} {identity}", moments.uniform(0, limit_s)
        )
        acknowledged = len([line for line in said if line.isdigit()])

        recorder = await started(tmp_path / "recorder")
        if session in await recorder.recordings():
            numbers.append((await recorder.start_of(session=session)).recorder.sequence)
            status = await recorder.next_segment(session=session, after=-1, wait_s=0)
            assert status.end is not None
            assert status.end.reason is EndReason.INTERRUPTED
            recorded = await read_recording(recorder, session)
            assert recorded == [frames(n, 1, size=3000) for n in range(len(recorded))]
            assert acknowledged <= len(recorded) <= acknowledged + 1
            await recorder.release(session=session)
        else:
            assert "opened" not in said
        await recorder.stop()
        await recorder._folder.release()  # type: ignore[attr-defined]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= ROUNDS / 2
    nursery.stdin.close()  # type: ignore[union-attr]
    await nursery.wait()
