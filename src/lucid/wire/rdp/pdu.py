"""Framing: cutting a byte stream into TPKT and fast-path PDUs, and reading their fields without overrun."""

from lucid.base.errors import InvalidInput

TPKT_VERSION = 3
MAX_PDU = 65_536


class ProtocolError(InvalidInput):
    """The peer broke the protocol. The detail is one line and never holds bytes of the PDU."""


class Cursor:
    """Reads the fields of one PDU in order. Every read past the end raises ProtocolError."""

    __slots__ = ("_data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self.position = position

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self.position + count
        if count < 0 or end > len(self._data):
            raise ProtocolError("PDU is shorter than its fields")
        data = self._data[self.position : end]
        self.position = end
        return data

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(self.remaining)

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes, least significant first: RDP's own fields."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Four bytes, least significant first."""
        return int.from_bytes(self.take(4), "little")

    def u16be(self) -> int:
        """Two bytes, most significant first: fields of TPKT, X.224 and MCS."""
        return int.from_bytes(self.take(2), "big")

    def expect(self, value: bytes, what: str) -> None:
        """Step over `value`; anything else raises ProtocolError that names `what`."""
        if self.take(len(value)) != value:
            raise ProtocolError(f"not {what}")


def pdu_length(data: bytes | bytearray, position: int = 0) -> int | None:
    """Length in bytes of the PDU that begins at `position`, header included; None while its header is
    incomplete. Raises ProtocolError for a length or a first byte that no PDU has (T.123 section 8;
    sections 2.2.8.1.2 and 2.2.9.1.2)."""
    available = len(data) - position
    if available < 1:
        return None
    first = data[position]
    if first == TPKT_VERSION:
        if available < 4:
            return None
        length = data[position + 2] << 8 | data[position + 3]
        smallest = 7
    elif first & 3 == 0:
        if available < 2:
            return None
        length = data[position + 1]
        smallest = 3
        if length & 0x80:
            if available < 3:
                return None
            length = (length & 0x7F) << 8 | data[position + 2]
            smallest = 4
    else:
        raise ProtocolError("neither a TPKT nor a fast-path PDU")
    if length < smallest:
        raise ProtocolError(f"PDU length {length} is below its header")
    return length


def fast_path_header(pdu: bytes) -> int:
    """Bytes of a fast-path PDU's header: action and a length of one or two bytes."""
    return 3 if pdu[1] & 0x80 else 2


class PduReader:
    """Cuts a stream, fed in pieces of any size, into whole PDUs. Buffers at most one PDU and one piece."""

    def __init__(self, *, max_pdu: int = MAX_PDU) -> None:
        self._max_pdu = max_pdu
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a PDU that has not wholly arrived."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The PDUs that `data` completes. Raises ProtocolError on a length that is impossible or above
        `max_pdu`; the stream cannot be used after that."""
        self._buffer += data
        pdus = []
        position = 0
        while (length := pdu_length(self._buffer, position)) is not None:
            if length > self._max_pdu:
                raise ProtocolError(f"PDU of {length} bytes is above the limit of {self._max_pdu}")
            if len(self._buffer) - position < length:
                break
            pdus.append(bytes(self._buffer[position : position + length]))
            position += length
        del self._buffer[:position]
        return pdus


def tpkt(body: bytes) -> bytes:
    """`body` in a TPKT packet (T.123 section 8). Raises ProtocolError above 65535 bytes."""
    length = len(body) + 4
    if length > 0xFFFF:
        raise ProtocolError(f"{length} bytes do not fit in a TPKT packet")
    return bytes((TPKT_VERSION, 0)) + length.to_bytes(2, "big") + body
