"""The text typed in a session, read from its recorded frames segment by segment, in order."""

import struct

from pydantic import Field

from lucid.base.value import Value
from lucid.model.frame import HEAD_BYTES
from lucid.ports.recording import TypedLine
from lucid.wire.rdp.input import InputReader
from lucid.wire.rdp.keyboard import Keyboard, Stroke
from lucid.wire.rdp.pdu import ProtocolError

LINE_LENGTH = 200
"""Most characters of a line; a longer one is cut, behind a space where there is one in its last fifth."""
PAUSE_US = 30_000_000
"""After so long without a key what follows is another line, so that what was typed is found soon."""
SEGMENT_LINES = 1000
"""Most lines of a segment of a few seconds: nobody types more, and what claims to has to stay small."""

_HEAD = struct.Struct(">QBI")


class _State(Value):
    """What goes from one segment's reader to the next: what is not whole yet of PDUs and of the line, with the time of
    each character, and the keyboard."""

    pending: bytes = b""
    io_channel: int | None = None
    keyboard: Keyboard = Field(default_factory=Keyboard)
    line: tuple[tuple[str, int], ...] = ()
    broken: bool = False


class TypedReader:
    """Reads one segment after the other; `state()` is what another reader needs to go on. `broken`: the client's
    stream could not be followed, and no text is read any more. `dropped`: lines of the segment read last that were
    beyond SEGMENT_LINES."""

    def __init__(self, state: bytes = b"") -> None:
        saved = _State.model_validate_json(state) if state else _State()
        self._input = InputReader(saved.pending, saved.io_channel)
        self._keyboard = saved.keyboard
        self._chars = list(saved.line)
        self._lines: list[TypedLine] = []
        self.dropped = 0
        self.broken = saved.broken

    @property
    def layout(self) -> str:
        """What the keys are read as."""
        return self._keyboard.layout_name

    @property
    def unread(self) -> int:
        """PDUs that this reader could not read."""
        return self._input.unread

    def state(self) -> bytes:
        """It holds typed text, and what else of the client's stream is not whole yet."""
        state = _State(
            pending=self._input.pending,
            io_channel=self._input.io_channel,
            keyboard=self._keyboard,
            line=tuple(self._chars),
            broken=self.broken,
        )
        return state.model_dump_json().encode()

    def read(self, frames: bytes, *, last_us: int, last: bool) -> tuple[TypedLine, ...]:
        """The lines that end in a segment, whose client's frames these are; it ends at `last_us`, and `last` says that
        none follows."""
        position = 0
        while position < len(frames) and not self.broken:
            time_us, _, length = _HEAD.unpack_from(frames, position)
            position += HEAD_BYTES + length
            try:
                for event in self._input.feed(frames[position - length : position]):
                    if typed := self._keyboard.feed(event):
                        self._add(typed, time_us)
            except ProtocolError:
                self._input.pending = b""
                self.broken = True
        if last or self.broken or self._paused(last_us):
            self._end_line()
        lines, self._lines = self._lines, []
        self.dropped = max(0, len(lines) - SEGMENT_LINES)
        return tuple(lines[:SEGMENT_LINES])

    def _paused(self, now_us: int) -> bool:
        return bool(self._chars) and now_us - self._chars[-1][1] > PAUSE_US

    def _add(self, typed: str | Stroke, time_us: int) -> None:
        if self._paused(time_us):
            self._end_line()
        if typed is Stroke.BACKSPACE:
            del self._chars[-1:]
        elif isinstance(typed, Stroke):
            self._end_line()
        else:
            self._chars += [(char, time_us) for char in typed]
            count = len(self._chars)
            if count >= LINE_LENGTH or (typed == " " and count > LINE_LENGTH * 4 // 5):
                self._end_line()

    def _end_line(self) -> None:
        chars, self._chars = self._chars, []
        words: list[str] = []
        times: list[int] = []
        between = True
        for char, time_us in chars:
            if char.isspace():
                between = True
            elif between:
                words.append(char)
                times.append(time_us)
                between = False
            else:
                words[-1] += char
        if words:
            self._lines.append(TypedLine(text=" ".join(words), times_us=tuple(times)))
