"""A node's statement: its credits of a month with every entry of the log that they follow from, checked by anybody who
has the log and its key."""

from collections.abc import Iterable
from typing import Annotated, Literal, Protocol

from pydantic import FailFast

from lucid.base.errors import Corrupted
from lucid.base.ids import Name
from lucid.crypto.merkle import Frontier, leaf_hash
from lucid.crypto.note import VerifierKey, open_note
from lucid.model.canonical import CanonicalValue
from lucid.model.entry import LogEntry
from lucid.model.tlog import TILE_WIDTH, Checkpoint, decode_entries, entries_path
from lucid.nodes.credits import NodeCredits, compute
from lucid.nodes.facts import NODE_ENTRIES, Fact, counts
from lucid.nodes.month import Month, bounds


class Statement(CanonicalValue):
    """What is owed to whom, and why. `facts` are all counted entries of the log up to the end of the month."""

    format: Literal["lucid-statement/1"] = "lucid-statement/1"
    node: Name
    own_node: Name
    month: Month
    checkpoint: str
    facts: Annotated[tuple[Fact, ...], FailFast()]
    credits: NodeCredits


class LogFiles(Protocol):
    """The files of a log by their tlog-tiles paths: a folder, or a server."""

    def read(self, path: str) -> bytes:
        """Raises NotFound."""
        ...


def entries(files: LogFiles, size: int) -> Iterable[bytes]:
    """The first `size` entries of the log, in order."""
    for number in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        yield from decode_entries(files.read(entries_path(number, width)))[:width]


def check(statement: Statement, files: LogFiles, key: VerifierKey) -> NodeCredits:
    """Recompute the statement from the log. Raises Corrupted, which says what does not fit."""
    tree = Checkpoint.from_text(open_note(statement.checkpoint, key))
    _, end = bounds(statement.month)
    expected = iter(statement.facts)
    frontier = Frontier()
    for index, data in enumerate(entries(files, tree.size)):
        frontier.append(leaf_hash(data))
        entry = LogEntry.from_bytes(data)
        if counts(entry.type, entry.time, end):
            _same(next(expected, None), index, data, entry)
    if frontier.root() != tree.root:
        raise Corrupted("the log is not the one that the statement's checkpoint names")
    if (more := next(expected, None)) is not None:
        raise Corrupted(f"entry {more.index} stands in the statement and not in the log")
    for found in compute(statement.month, statement.facts, own_node=statement.own_node):
        if found.node == statement.node:
            if found != statement.credits:
                raise Corrupted(
                    f"the log gives {found.credits} credits, the statement says {statement.credits.credits}"
                )
            return found
    raise Corrupted(f"the log knows no node {statement.node}")


def _same(fact: Fact | None, index: int, data: bytes, entry: LogEntry) -> None:
    if fact is None or fact.index != index or fact.entry.encode() != data:
        raise Corrupted(f"entry {index} ({entry.type}) stands in the log and not in the statement")
    if entry.type in NODE_ENTRIES:
        fact.subject()
