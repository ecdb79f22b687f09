"""Steps 12 to 14: a whole copy of the log. Reads every entry once, one tile in memory at a time."""

from collections.abc import Callable, Iterator

from lucid.crypto.merkle import Frontier, leaf_hash, node_hash
from lucid.crypto.note import MAX_NOTE_BYTES, open_note
from lucid.model.canonical import NO_DIGEST
from lucid.model.entry import MAX_ENTRY_BYTES
from lucid.model.tlog import (
    HASH_BYTES,
    TILE_WIDTH,
    Block,
    Checkpoint,
    block_path,
    decode_entries,
    entries_path,
    tile_path,
)
from lucid.verify.case import LogCase, part, read_checkpoint, require, signed_checkpoint
from lucid.verify.report import StepFailed
from lucid.verify.sequence import RuleBroken
from lucid.verify.sources import LogSource

_ENTRIES_LIMIT = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)
_TILE_LIMIT = TILE_WIDTH * HASH_BYTES


def rebuild(case: LogCase) -> str:
    """The tree rebuilt from all entries is the one that checkpoint, hash tiles and blocks speak of."""
    log = _log(case)
    head_note = _text(log, "checkpoint")
    head = signed_checkpoint(head_note, case.key, "the log's checkpoint")
    require(_text(log, "key") == case.key.format() + "\n", "the log's file 'key' does not hold the given key")
    wanted: set[int] = set()
    if case.bundle_head is not None:
        _not_rolled_back(head, case.bundle_head, "the bundle's checkpoint")
        wanted.add(case.bundle_head.size)
    if case.checkpoint is not None:
        wanted.add(read_checkpoint(case.checkpoint).size)

    require(head.size > 0, "the log's checkpoint has no entries, so no block leads to it")
    tree, tiles, blocks = Frontier(), _HashTiles(log), _BlockChain(log, case, wanted)
    for number in range(-(-head.size // TILE_WIDTH)):
        width = min(TILE_WIDTH, head.size - number * TILE_WIDTH)
        hashes = []
        for entry in _entries(log, number, width):
            case.sequence.add(tree.size, entry, blocks.next_time)
            hashes.append(leaf_hash(entry))
            tree.append(hashes[-1])
            blocks.check(tree)
        tiles.add(hashes)
        case.progress("log", tree.size, head.size)
    tiles.finish()

    require(
        tree.root() == head.root, f"the entries have the root {tree.root().hex()}, the checkpoint {head.root.hex()}"
    )
    blocks.finish(head, grown=lambda: _grown(log, case, head_note, head))
    if case.bundle_head is not None:
        _same_root(case, case.bundle_head, "the bundle's checkpoint")
        require(
            blocks.at_bundle == case.bundle_block,
            "at the height of the bundle's block the log has another block: the log was forked",
        )
    case.log_head = head
    return f"{head.size} entries, {blocks.height} blocks, the newest of {case.newest_block_time}"


def consistency(case: LogCase) -> str:
    """A checkpoint that somebody kept is of this log, which only grew since."""
    assert case.checkpoint is not None, "the step is skipped without"
    seen = signed_checkpoint(case.checkpoint, case.key, "the checkpoint given")
    if case.log_head is not None:
        _not_rolled_back(case.log_head, seen, "the checkpoint given")
        _same_root(case, seen, "the checkpoint given")
    else:
        assert case.bundle_head is not None, "a log or a bundle is given"
        require(
            seen.size == case.bundle_head.size,
            f"the checkpoint given covers {seen.size} entries, the bundle's {case.bundle_head.size}: "
            "to compare them the log is needed (--log)",
        )
        require(
            seen.root == case.bundle_head.root,
            f"the checkpoint given has another root at {seen.size} entries than the bundle's: the log was forked",
        )
    return f"same tree at {seen.size} entries"


def sequence(case: LogCase) -> str:
    """Every session of every recorder was opened, in order, and closed in time."""
    rules = case.sequence
    try:
        case.warnings += rules.finish(case.newest_block_time, case.now)
    except RuleBroken as broken:
        raise StepFailed(broken.detail) from None
    return (
        f"{rules.sessions} sessions, {rules.unclosed} still open at {case.newest_block_time}, {rules.late} closed late"
    )


class _BlockChain:
    """Reads the blocks in step with the growing tree and checks each against the one before and the tree."""

    def __init__(self, log: LogSource, case: LogCase, wanted: set[int]) -> None:
        self._log, self._case, self._wanted = log, case, wanted
        self.at_bundle: Block | None = None
        self._size, self._time, self._digest = 0, "", NO_DIGEST
        self.height = 0
        self._next = self._read()

    @property
    def next_time(self) -> str:
        """The time of the block that holds the next entry. Fails the step when there is none."""
        if self._next is None:
            raise StepFailed(f"the last block covers {self._size} entries, the checkpoint more")
        return self._next.time

    def check(self, tree: Frontier) -> None:
        """To be called at every size of the tree."""
        block = self._next
        if block is None or block.size != tree.size:
            return
        require(
            block.root == tree.root(), f"block {self.height}: its root is not that of the first {tree.size} entries"
        )
        if block.size in self._wanted:
            self._case.roots[block.size] = block.root
        if self._case.bundle_block is not None and self._case.bundle_block.height == block.height:
            self.at_bundle = block
        self._size, self._time, self._digest = block.size, block.time, block.digest()
        self.height += 1
        self._next = self._read()

    def finish(self, head: Checkpoint, grown: Callable[[], bool]) -> None:
        """The checkpoint is at the last block. One more may be there, of a slot that is just being written;
        further ones only if the log grew as it was read."""
        require(
            self._size == head.size,
            f"the checkpoint covers {head.size} entries, where no block ends: the last one before covers {self._size}",
        )
        require(
            self._next is None or self._log.read(block_path(self.height + 1), MAX_NOTE_BYTES) is None or grown(),
            f"blocks {self.height} and {self.height + 1} are there, but the checkpoint does not cover them",
        )
        self._case.newest_block_time = self._time

    def _read(self) -> Block | None:
        height = self.height
        data = self._log.read(block_path(height), MAX_NOTE_BYTES)
        if data is None:
            return None
        with part(f"block {height}"):
            block = Block.from_text(open_note(_decode(data, f"block {height}"), self._case.key))
        for name, found, expected in (
            ("origin", block.origin, self._case.key.name),
            ("height", block.height, height),
            ("previous", block.previous, self._digest),
            ("size", block.size, self._size + block.entries),
        ):
            require(found == expected, f"block {height}: {name} is {found}, expected {expected}")
        require(block.time >= self._time, f"block {height}: its time is before that of the block before it")
        return block


class _HashTiles:
    """Builds the hash tiles of every level from entry hashes and compares them with the log's."""

    def __init__(self, log: LogSource) -> None:
        self._log = log
        self._levels: list[list[bytes]] = []
        self._numbers: list[int] = []

    def add(self, hashes: list[bytes], level: int = 0) -> None:
        """Add hashes of one level, at most up to the end of its current tile."""
        if level == len(self._levels):
            self._levels.append([])
            self._numbers.append(0)
        tile = self._levels[level]
        tile.extend(hashes)
        if len(tile) == TILE_WIDTH:
            self._compare(level)
            above = tile
            while len(above) > 1:
                above = [node_hash(above[i], above[i + 1]) for i in range(0, len(above), 2)]
            self._levels[level] = []
            self._numbers[level] += 1
            self.add(above, level + 1)

    def finish(self) -> None:
        """Compare the partial tiles at the right edge."""
        for level, tile in enumerate(self._levels):
            if tile:
                self._compare(level)

    def _compare(self, level: int) -> None:
        number, tile = self._numbers[level], self._levels[level]
        data, width = _tile(self._log, lambda width: tile_path(level, number, width), len(tile), _TILE_LIMIT)
        name = tile_path(level, number, width)
        require(len(data) == width * HASH_BYTES, f"{name} has {len(data)} bytes, expected {width * HASH_BYTES}")
        require(data[: len(tile) * HASH_BYTES] == b"".join(tile), f"{name} does not hold the hashes of the entries")


def _entries(log: LogSource, number: int, width: int) -> Iterator[bytes]:
    data, found = _tile(log, lambda width: entries_path(number, width), width, _ENTRIES_LIMIT)
    name = entries_path(number, found)
    with part(name):
        entries = decode_entries(data)
    require(len(entries) == found, f"{name} holds {len(entries)} entries, expected {found}")
    yield from entries[:width]


def _tile(log: LogSource, path: Callable[[int], str], width: int, limit: int) -> tuple[bytes, int]:
    """A tile of at least `width`, and its width: the log may have grown since its checkpoint was read, and
    then a wider tile, which begins alike, has taken the place of a partial one (c2sp.org/tlog-tiles)."""
    data = log.read(path(width), limit)
    if data is not None:
        return data, width
    if width < TILE_WIDTH:
        partial = path(width).rpartition("/")[0]
        for wider in (*(found for found in log.widths(partial) if width < found < TILE_WIDTH), TILE_WIDTH):
            data = log.read(path(wider), limit)
            if data is not None:
                return data, wider
    raise StepFailed(f"{path(width)} is missing")


def _grown(log: LogSource, case: LogCase, note: str, head: Checkpoint) -> bool:
    """Whether the log has a newer checkpoint by now than the one that was read first."""
    now = _text(log, "checkpoint")
    return now != note and signed_checkpoint(now, case.key, "the log's new checkpoint").size > head.size


def _not_rolled_back(log_head: Checkpoint, other: Checkpoint, what: str) -> None:
    require(
        log_head.size >= other.size,
        f"the log has {log_head.size} entries, {what} covers {other.size}: the log was rolled back",
    )


def _same_root(case: LogCase, other: Checkpoint, what: str) -> None:
    require(other.size in case.roots, f"{what} covers {other.size} entries, where no block of the log ends")
    require(
        case.roots[other.size] == other.root,
        f"at {other.size} entries the log has another root than {what}: the log was forked",
    )


def _log(case: LogCase) -> LogSource:
    assert case.log is not None, "the step is skipped without"
    return case.log


def _text(log: LogSource, path: str) -> str:
    data = log.read(path, MAX_NOTE_BYTES)
    if data is None:
        raise StepFailed(f"the log's file {path!r} is missing")
    return _decode(data, f"the log's file {path!r}")


def _decode(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise StepFailed(f"{what} is not a text file") from None
