"""C2SP tlog-proof: an inclusion proof together with its checkpoint, as text (c2sp.org/tlog-proof)."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Self

from lucid.base.errors import InvalidInput
from lucid.model.tlog import decode_hash

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 63
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Entry `index` is in the tree of `checkpoint` (a signed note); `path` is the audit path from the leaf up.
    `extra` is data for the application, which the proof does not cover; Lucid writes none."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def to_text(self) -> str:
        extra = f"extra {base64.b64encode(self.extra).decode()}\n" if self.extra else ""
        hashes = "".join(base64.b64encode(value).decode() + "\n" for value in self.path)
        return f"{HEADER}\n{extra}index {self.index}\n{hashes}\n{self.checkpoint}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse; the checkpoint stays unread. Raises InvalidInput naming the line that is wrong."""
        head, gap, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if lines[0] != HEADER or not gap or not checkpoint:
            raise InvalidInput(f"proof: expected {HEADER}, hashes, an empty line and a checkpoint")
        extra = b""
        if len(lines) > 1 and lines[1].startswith("extra "):
            extra = _decode_extra(lines.pop(1)[len("extra ") :])
        match = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
        if match is None:
            raise InvalidInput("proof: expected a line 'index N'")
        if len(lines) - 2 > MAX_PATH:
            raise InvalidInput(f"proof: over {MAX_PATH} hashes")
        path = tuple(decode_hash(line, "proof hash") for line in lines[2:])
        return cls(int(match[1]), path, checkpoint, extra)


def _decode_extra(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise InvalidInput("proof: expected base64 after 'extra'")
    return data
