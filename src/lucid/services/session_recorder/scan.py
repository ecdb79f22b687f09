"""Which records the files of an earlier run hold, and of which sessions."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from lucid.ports.stores import Folder
from lucid.recording.journal import HEAD_BYTES, RecordHead, find_heads, read_head
from lucid.services.session_recorder.files import Extent, JournalFile, add_extent

WINDOW_BYTES = 1024 * 1024
"""How much of a file is looked at at once."""

_log = structlog.get_logger()


@dataclass
class FoundSegment:
    """A segment's records, in order. `begins`: the first of them is there."""

    begins: bool
    extents: list[Extent] = field(default_factory=list)


class Scan:
    """Reads files, oldest first, and keeps where the records of `sessions` are; those are live. By session (its 16
    bytes) and number in `segments`; `damaged` when a record stood behind something that is none."""

    def __init__(self, folder: Folder, sessions: Iterable[bytes]) -> None:
        self._folder = folder
        self.segments: dict[bytes, dict[int, FoundSegment]] = {session: {} for session in sessions}
        self.damaged = False
        self._lost = False

    async def read(self, file: JournalFile) -> int:
        """The file's size. A damaged head hides its own record alone: the next one is found by its magic number.
        Where none follows, a crash has cut the file."""
        position, self._lost = 0, False
        while True:
            window = await self._folder.read_ranges(file.path, [(position, WINDOW_BYTES)])
            step = await asyncio.to_thread(self._look, file, position, window)
            if step == 0:
                return position + len(window)
            position += step

    def _look(self, file: JournalFile, position: int, window: bytes) -> int:
        """How far to go on: 0 when fewer bytes are left than a head has."""
        at = 0
        while at + HEAD_BYTES <= len(window):
            head = read_head(window, at)
            if head is not None:
                self._found(head, Extent(file, position + at, head.length))
                at += head.length
            else:
                self._lost = True
                at, _ = next(find_heads(window, at), (len(window) - HEAD_BYTES + 1, None))
        return at

    def _found(self, head: RecordHead, extent: Extent) -> None:
        if self._lost:
            _log.warning("journal file damaged", file=extent.file.path, before=extent.offset)
            self._lost, self.damaged = False, True
        if (segments := self.segments.get(head.session)) is not None:
            segment = segments.setdefault(head.segment, FoundSegment(begins=head.number == 0))
            add_extent(segment.extents, extent)
            extent.file.live += extent.length
