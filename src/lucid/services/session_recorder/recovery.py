"""Journals of an earlier run: each is an interrupted recording, or one whose end was written."""

import asyncio
from dataclasses import dataclass

import structlog

from lucid.base.errors import Corrupted, LucidError, NotFound
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.model.frame import scan_frames
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.stores import Folder
from lucid.recording.journal import OpenedSegment, RecordKind, open_segment
from lucid.services.session_recorder.recording import Closed
from lucid.services.session_recorder.state import (
    JOURNALS,
    SEGMENT_SUFFIX,
    JournalHead,
    read_head,
    segment_path,
)

_log = structlog.get_logger()


@dataclass(frozen=True)
class FoundJournal:
    """What is left of a recording: its head, its segments, how it ended, the time of its last frame."""

    head: JournalHead
    closed: dict[int, Closed]
    end: SessionEnd
    last_us: int = 0


async def find_journals(folder: Folder, identity: Secret, *, segment_bytes: int) -> list[FoundJournal]:
    """All journals on disk. One whose head is unreadable is left where it is and logged: a person must look.
    `segment_bytes` is what a segment of unknown size counts for in the backlog."""
    segments: dict[str, list[int]] = {}
    for path in await folder.list(JOURNALS):
        _, session, name = path.split("/")
        numbers = segments.setdefault(session, [])
        if name.endswith(SEGMENT_SUFFIX):
            numbers.append(int(name.removesuffix(SEGMENT_SUFFIX)))
    found = []
    for session, numbers in segments.items():
        try:
            head = await read_head(folder, session)
        except (NotFound, Corrupted) as error:
            _log.error("journal unreadable", session=session, error=error.detail)
            continue
        found.append(await _examine(folder, identity, head, sorted(numbers), segment_bytes))
    return found


async def _examine(
    folder: Folder, identity: Secret, head: JournalHead, numbers: list[int], segment_bytes: int
) -> FoundJournal:
    closed = {number: Closed(complete=True, size=segment_bytes) for number in numbers}
    end = SessionEnd(reason=EndReason.INTERRUPTED, detail="the recorder stopped while the session was open")
    last_us = 0
    if numbers:
        data = await folder.read(segment_path(head.session, numbers[-1]))
        complete = False
        try:
            opened = await asyncio.to_thread(_open, head, identity, numbers[-1], data)
        except LucidError as error:
            # The processor will find the same and end the chunk list there.
            _log.error("journal damaged", session=head.session, segment=numbers[-1], error=error.detail)
        else:
            complete = opened.closed is not None
            if opened.closed is RecordKind.SESSION_END:
                end = SessionEnd(reason=EndReason(opened.reason))
            if opened.frames:
                last_us = scan_frames(opened.frames[-1]).last_us
        closed[numbers[-1]] = Closed(complete, len(data))
    _log.info("recording found", session=head.session, segments=len(numbers), end=end.reason)
    return FoundJournal(head, closed, end, last_us)


def _open(head: JournalHead, identity: Secret, number: int, data: bytes) -> OpenedSegment:
    data_key = age.unwrap(head.start.platform_key.wrapped, identity)
    return open_segment(data_key, head.session, number, data)
