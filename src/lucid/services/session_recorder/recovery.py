"""Journals of an earlier run: each is an interrupted recording, or one whose end was written."""

import asyncio
import contextlib
import re
from dataclasses import dataclass

import structlog

from lucid.base.errors import Corrupted, LucidError, NotFound
from lucid.base.ids import session_bytes
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.model.frame import scan_frames
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.stores import Folder
from lucid.recording.journal import OpenedSegment, RecordKind, open_segment
from lucid.services.session_recorder.files import JournalFiles
from lucid.services.session_recorder.recording import Closed
from lucid.services.session_recorder.scan import FoundSegment, Scan
from lucid.services.session_recorder.state import JOURNALS, LOG_SUFFIX, JournalHead, read_head

_LOG = re.compile(rf"{JOURNALS}/[0-9]{{8,}}{re.escape(LOG_SUFFIX)}")

_log = structlog.get_logger()


@dataclass(frozen=True)
class FoundJournal:
    """What is left of a recording: its head, its segments, how it ended, the time of its last frame."""

    head: JournalHead
    closed: dict[int, Closed]
    end: SessionEnd
    last_us: int = 0


async def find_journals(folder: Folder, files: JournalFiles, identity: Secret) -> list[FoundJournal]:
    """All journals on disk. One whose head is unreadable is left where it is and logged: a person must look."""
    paths = await folder.list(JOURNALS)
    sessions = sorted({path.split("/")[1] for path in paths if path.count("/") > 1})
    scan = Scan(folder, _session_ids(sessions))
    for path in filter(_LOG.fullmatch, paths):
        file = files.adopt(path)
        files.count(file, await scan.read(file))
    found = []
    for session in sessions:
        try:
            head = await read_head(folder, session)
        except (NotFound, Corrupted) as error:
            _log.error("journal unreadable", session=session, error=error.detail)
            continue
        segments = scan.segments[session_bytes(session)]
        if segments and not scan.damaged:
            _drop_released(files, segments)
        found.append(await _examine(files, identity, head, segments))
    return found


def _session_ids(names: list[str]) -> list[bytes]:
    ids = []
    for name in names:
        with contextlib.suppress(ValueError):  # somebody else's folder
            ids.append(session_bytes(name))
    return ids


def _drop_released(files: JournalFiles, segments: dict[int, FoundSegment]) -> None:
    """A file is deleted only when all in it is released: a segment that lost its beginning with one was."""
    first = min(segments)
    if not segments[first].begins:
        files.drop(segments.pop(first).extents)


async def _examine(
    files: JournalFiles, identity: Secret, head: JournalHead, segments: dict[int, FoundSegment]
) -> FoundJournal:
    closed = {number: Closed(complete=True, extents=segment.extents) for number, segment in segments.items()}
    end = SessionEnd(reason=EndReason.INTERRUPTED, detail="the recorder stopped while the session was open")
    last_us = 0
    if segments:
        first, last = min(segments), max(segments)
        # Segments are released in their order, so one that is missing in between was damaged: it will not open.
        closed |= {number: Closed(complete=True, extents=[]) for number in range(first, last) if number not in segments}
        data = await files.read(segments[last].extents)
        complete = False
        try:
            opened, last_us = await asyncio.to_thread(_open, head, identity, last, data)
        except LucidError as error:
            # The processor will find the same and end the chunk list there.
            _log.error("journal damaged", session=head.session, segment=last, error=error.detail)
        else:
            complete = opened.closed is not None
            if opened.closed is RecordKind.SESSION_END:
                end = SessionEnd(reason=EndReason(opened.reason))
        closed[last] = Closed(complete, segments[last].extents)
    _log.info("recording found", session=head.session, segments=len(closed), end=end.reason)
    return FoundJournal(head, closed, end, last_us)


def _open(head: JournalHead, identity: Secret, number: int, data: bytes) -> tuple[OpenedSegment, int]:
    """The segment, and the time of its last frame."""
    data_key = age.unwrap(head.start.platform_key.wrapped, identity)
    opened = open_segment(data_key, head.session, number, data)
    return opened, scan_frames(opened.frames).last_us
