"""What a client's stream says of keyboard and mouse (sections 2.2.8.1.1.3 and 2.2.8.1.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from lucid.wire.rdp import mcs, share
from lucid.wire.rdp.gcc import CS_CORE, find_block
from lucid.wire.rdp.mcs import ConnectInitial, SendData
from lucid.wire.rdp.pdu import MAX_PDU, Cursor, ProtocolError, fast_path_header, pdu_length
from lucid.wire.rdp.share import ShareData, is_license, parse_share

_LAYOUT_OFFSET = 16

_FAST_KEY, _FAST_MOUSE, _FAST_MOUSE_X, _FAST_SYNC, _FAST_UNICODE, _FAST_RELATIVE, _FAST_TIME = range(7)
_FAST_SIZES = {
    _FAST_KEY: 1,
    _FAST_MOUSE: 6,
    _FAST_MOUSE_X: 6,
    _FAST_SYNC: 0,
    _FAST_UNICODE: 2,
    _FAST_RELATIVE: 6,
    _FAST_TIME: 4,
}
_FAST_RELEASE, _FAST_EXTENDED, _FAST_EXTENDED1 = 0x01, 0x02, 0x04
_FAST_ENCRYPTED = 0x80

_SLOW_SYNC, _SLOW_KEY, _SLOW_UNICODE = 0x0000, 0x0004, 0x0005
_SLOW_POINTERS = frozenset((0x8001, 0x8002, 0x8004))
_SLOW_EVENT_BYTES = 12
_SLOW_RELEASE, _SLOW_EXTENDED, _SLOW_EXTENDED1 = 0x8000, 0x0100, 0x0200

_NUM_LOCK, _CAPS_LOCK = 0x02, 0x04
_DOWN, _BUTTONS = 0x8000, 0x7003
"""Pointer flags: pressed; the buttons of mice (0x7000) and their further ones (0x0003), which no wheel has."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection begins; `layout` is the client's keyboardLayout (section 2.2.1.3.2)."""

    layout: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key goes down (again, while it is held) or up: its set 1 scancode, and the prefix 0xE0 (`extended`) or 0xE1
    (`extended1`)."""

    scancode: int
    down: bool
    extended: bool = False
    extended1: bool = False


@dataclass(frozen=True, slots=True)
class Character:
    """A UTF-16 code unit, typed regardless of the layout."""

    unit: int


@dataclass(frozen=True, slots=True)
class Locks:
    """The state of the lock keys; all other keys are up."""

    caps: bool
    num: bool


@dataclass(frozen=True, slots=True)
class Click:
    """A button of the mouse goes down."""


InputEvent = Connected | Key | Character | Locks | Click


class InputReader:
    """Takes a client's recorded stream in pieces of any size and gives the events in it. `pending` and `io_channel` are
    all of its state, so that another one can go on. `unread`: PDUs that could not be read (to their end); those behind
    them can, so nobody hides what they type behind one."""

    def __init__(self, pending: bytes = b"", io_channel: int | None = None) -> None:
        self.pending = pending
        self.io_channel = io_channel
        self.unread = 0

    def feed(self, data: bytes) -> Iterator[InputEvent]:
        """The events in what `data` completes, without moves of the pointer. Raises ProtocolError where no PDU begins;
        the stream cannot be read any further then."""
        if self.pending:
            data, self.pending = self.pending + data, b""
        position, end = 0, len(data)
        while (length := pdu_length(data, position)) is not None:
            if length > MAX_PDU:
                raise ProtocolError(f"PDU of {length} bytes is above the limit of {MAX_PDU}")
            if end - position < length:
                break
            if not _is_move(data, position):
                try:
                    yield from self._events(data[position : position + length])
                except ProtocolError:
                    self.unread += 1
            position += length
        self.pending = data[position:]

    def _events(self, pdu: bytes) -> Iterator[InputEvent]:
        if pdu[0] != 3:
            yield from _fast_path(pdu)
            return
        kind = mcs.choice(pdu)
        if kind == mcs.CONNECT:
            core = find_block(ConnectInitial.from_bytes(pdu).blocks, CS_CORE)
            if core is not None:
                yield Connected(core.u32(_LAYOUT_OFFSET))
        elif kind == mcs.SEND_REQUEST:
            sent = SendData.from_bytes(pdu)
            if self.io_channel is None and _is_confirm_active(sent.payload):
                self.io_channel = sent.channel
            if sent.channel == self.io_channel and not is_license(sent.payload):
                yield from _slow_path(sent.payload)


def _is_move(data: bytes, position: int) -> bool:
    """Whether a fast-path PDU is one pointer event without a button: most of all input is."""
    return (
        data[position] == 1 << 2
        and data[position + 1] == 9
        and data[position + 2] >> 5 == _FAST_MOUSE
        and not (data[position + 4] & _BUTTONS >> 8 and data[position + 4] & _DOWN >> 8)
    )


def _is_confirm_active(payload: bytes) -> bool:
    """Whether a payload is a Confirm Active PDU: the first that a client sends on the I/O channel, but for licensing,
    and before it sends on any other (section 1.3.1.1). Its originator is always 0x03EA (section 2.2.1.13.2.1)."""
    return (
        len(payload) >= 12
        and int.from_bytes(payload[:2], "little") == len(payload)
        and payload[2] & 0xF == share.CONFIRM_ACTIVE
        and payload[10:12] == b"\xea\x03"
    )


def _fast_path(pdu: bytes) -> Iterator[InputEvent]:
    """Raises ProtocolError for an unknown event, whose length is not known either, and for an encrypted PDU, which no
    client sends inside TLS."""
    if pdu[0] & _FAST_ENCRYPTED:
        raise ProtocolError("encrypted input inside TLS")
    cursor = Cursor(pdu, fast_path_header(pdu))
    count = pdu[0] >> 2 & 0xF or cursor.u8()
    for _ in range(count):
        head = cursor.u8()
        code, flags = head >> 5, head & 0x1F
        size = _FAST_SIZES.get(code)
        if size is None:
            raise ProtocolError(f"unknown input event {code}")
        data = cursor.take(size)
        if code == _FAST_KEY:
            yield Key(
                data[0],
                not flags & _FAST_RELEASE,
                bool(flags & _FAST_EXTENDED),
                bool(flags & _FAST_EXTENDED1),
            )
        elif code == _FAST_UNICODE and not flags & _FAST_RELEASE:
            yield Character(int.from_bytes(data, "little"))
        elif code == _FAST_SYNC:
            yield _locks(flags)
        elif code in (_FAST_MOUSE, _FAST_MOUSE_X, _FAST_RELATIVE) and _is_click(int.from_bytes(data[:2], "little")):
            yield Click()


def _slow_path(payload: bytes) -> Iterator[InputEvent]:
    for control in parse_share(payload):
        if control.type == share.DATA and (data := ShareData.from_body(control.body)).type == share.INPUT:
            cursor = Cursor(data.data)
            count = cursor.u16()
            cursor.take(2)
            for _ in range(count):
                event = _slow_event(Cursor(cursor.take(_SLOW_EVENT_BYTES), 4))
                if event is not None:
                    yield event


def _slow_event(cursor: Cursor) -> InputEvent | None:
    kind, flags, value = cursor.u16(), cursor.u16(), cursor.u16()
    if kind == _SLOW_KEY:
        down = not flags & _SLOW_RELEASE
        return Key(value & 0xFF, down, bool(flags & _SLOW_EXTENDED), bool(flags & _SLOW_EXTENDED1))
    if kind == _SLOW_UNICODE and not flags & _SLOW_RELEASE:
        return Character(value)
    if kind == _SLOW_SYNC:
        return _locks(value)  # two bytes of padding stand where others have their flags
    return Click() if kind in _SLOW_POINTERS and _is_click(flags) else None


def _locks(flags: int) -> Locks:
    return Locks(caps=bool(flags & _CAPS_LOCK), num=bool(flags & _NUM_LOCK))


def _is_click(flags: int) -> bool:
    return bool(flags & _DOWN and flags & _BUTTONS)
