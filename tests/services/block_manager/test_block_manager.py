"""block-manager: what it commits, serves, proves, and finds damaged."""

import contextlib
import dataclasses
import random

import httpx
import pytest
from starlette.applications import Starlette

from lucid.base.errors import Conflict, Corrupted, InvalidInput, NotFound, StorageFull
from lucid.chain.edge import Edge
from lucid.chain.fsck import fsck
from lucid.chain.rules import frontier_of
from lucid.chain.slot import Slot
from lucid.crypto import merkle
from lucid.crypto.note import SignerKey, open_note, sign
from lucid.model.tlog import Block, Checkpoint, block_path, tiles_of
from lucid.ports.log import TreeState
from lucid.services.block_manager.routes import routes
from lucid.services.block_manager.service import BlockManager
from tests.chain.memory_folder import (
    SIGNER,
    VERIFIER,
    Crash,
    MemoryFolder,
    entry,
    grow,
    manager_of,
    slot_after,
)


def root_of(size: int) -> bytes:
    return merkle.root(entry(n) for n in range(size))


async def test_the_folder_holds_exactly_the_files_of_the_newest_size() -> None:
    folder = MemoryFolder()
    manager = await manager_of(folder)
    await grow(manager, 3, 255, 256, 300, 900, 901)
    tiles = {path for path in folder.files if path.startswith("tile/") and "entries" not in path}
    assert len(tiles) == len(list(tiles_of(901)))
    assert sum(".p/" in path for path in folder.files) == 3
    assert folder.files["key"].decode() == VERIFIER.format() + "\n"
    assert sorted(path for path in folder.files if path.startswith("block/")) == [f"block/00{n}" for n in range(6)]


async def test_blocks_form_a_chain_with_the_roots_of_their_trees() -> None:
    manager = await manager_of(MemoryFolder())
    sizes = (1, 2, 256, 700)
    await grow(manager, *sizes)
    previous = "0" * 64
    for height, size in enumerate(sizes):
        note = await manager.block(height=height)
        block = Block.from_text(open_note(note, VERIFIER))
        assert (block.height, block.size, block.previous, block.root) == (height, size, previous, root_of(size))
        assert await manager.block_of_size(size=size) == note
        previous = block.digest()
    for size in (0, 3, 701):
        with pytest.raises(NotFound):
            await manager.block_of_size(size=size)
    for height in (-1, 4):
        with pytest.raises(NotFound):
            await manager.block(height=height)


async def test_inclusion_and_consistency_of_all_sizes() -> None:
    manager = await manager_of(MemoryFolder())
    await grow(manager, 300, 700)
    chooser = random.Random(7)
    for size in (1, 2, 255, 256, 257, 300, 512, 699, 700):
        root = root_of(size)
        for index in {0, size - 1, *(chooser.randrange(size) for _ in range(20))}:
            path = [bytes.fromhex(value) for value in await manager.inclusion(index=index, size=size)]
            assert merkle.verify_inclusion(merkle.leaf_hash(entry(index)), index, size, path, root)
        for old in {1, size, *(chooser.randrange(1, size + 1) for _ in range(20))}:
            proof = [bytes.fromhex(value) for value in await manager.consistency(old=old, new=size)]
            assert merkle.verify_consistency(old, size, root_of(old), root, proof)


async def test_what_is_outside_the_tree_is_not_found() -> None:
    manager = await manager_of(MemoryFolder())
    await grow(manager, 300)
    for index, size in ((300, 300), (0, 301), (-1, 5), (5, 5)):
        with pytest.raises(NotFound):
            await manager.inclusion(index=index, size=size)
    with pytest.raises(NotFound):
        await manager.consistency(old=5, new=301)
    for index in (-1, 300):
        with pytest.raises(NotFound):
            await manager.entry(index=index)
    assert await manager.entry(index=299) == entry(299)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001.p/45",
        "tile/0/002",
        "tile/1/000",
        "tile/1/000.p/2",
        "tile/0/1",
        "tile/00/000",
        "tile/8/000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/044",
        "tile/entries/000/../../../key",
        "checkpoint",
        "../key",
        "",
    ],
)
async def test_paths_outside_the_tree_are_not_found(path: str) -> None:
    manager = await manager_of(MemoryFolder())
    await grow(manager, 300)
    assert len(await manager.tile(path="tile/0/001.p/44")) == 44 * 32  # so that it is kept in memory
    with pytest.raises(NotFound):
        await manager.tile(path=path)


async def test_a_partial_tile_of_an_earlier_size_is_cut_out_of_the_present_one() -> None:
    manager = await manager_of(MemoryFolder())
    await grow(manager, 200)
    hashes = await manager.tile(path="tile/0/000.p/200")
    bundle = await manager.tile(path="tile/entries/000.p/200")
    await grow(manager, 300)
    assert await manager.tile(path="tile/0/000.p/200") == hashes
    assert await manager.tile(path="tile/entries/000.p/200") == bundle


async def test_a_slot_twice_is_no_error_and_another_one_in_its_place_is() -> None:
    manager = await manager_of(MemoryFolder())
    await grow(manager, 5)
    before = await manager.state()
    slot = slot_after(before, [entry(5)])
    after = await manager.commit(slot=slot)
    assert await manager.commit(slot=slot) == after
    with pytest.raises(Conflict):
        await manager.commit(slot=slot_after(before, [entry(6)]))


def altered(slot: Slot, *, signer: SignerKey = SIGNER, tree: dict[str, object] | None = None, **block: object) -> bytes:
    """The slot with fields of its block or checkpoint changed and signed again."""
    old_block = Block.from_text(open_note(slot.block, VERIFIER))
    old_tree = Checkpoint.from_text(open_note(slot.checkpoint, VERIFIER))
    fields = {name: getattr(old_block, name) for name in Block.__slots__} | block
    head = {name: getattr(old_tree, name) for name in Checkpoint.__slots__} | (tree or {})
    return Slot(
        sign(Block(**fields).to_text(), signer), sign(Checkpoint(**head).to_text(), signer), slot.entries
    ).encode()


def _signed_early(state: TreeState) -> bytes:
    """A slot with an entry that was made five minutes and a little later than its block."""
    late = entry(5).replace(b"T21:42:00.000000Z", b"T21:47:00.000001Z")
    slot = Slot.decode(slot_after(state, [entry(6)]))
    tree = frontier_of(state)
    tree.append(merkle.leaf_hash(late))
    wrong = Slot(slot.block, slot.checkpoint, (late,))
    return altered(wrong, root=tree.root(), tree={"root": tree.root()})


def written_by_hand(state: TreeState, before: list[bytes], entries: list[bytes]) -> dict[str, bytes]:
    """The files of a log after a block of `entries` that no rule was held against."""
    slot = Slot.decode(slot_after(state, [entry(0)]))
    edge, files = Edge().extend([*before, *entries])
    block = Block.from_text(open_note(slot.block, VERIFIER))
    block = dataclasses.replace(block, size=edge.size, root=edge.root(), entries=len(entries))
    checkpoint = Checkpoint(block.origin, block.size, block.root)
    notes = {block_path(block.height): block.to_text(), "checkpoint": checkpoint.to_text()}
    return files | {path: sign(text, SIGNER).encode() for path, text in notes.items()}


async def test_slots_that_are_wrong_in_themselves_are_refused() -> None:
    folder = MemoryFolder()
    manager = await manager_of(folder)
    state = await grow(manager, 5)
    slot = Slot.decode(slot_after(state, [entry(5), entry(6)]))
    files = dict(folder.files)
    for wrong in (
        altered(slot, root=b"x" * 32),
        altered(slot, size=8),
        altered(slot, entries=1),
        altered(slot, origin="other.test/log"),
        altered(slot, time="2026-11-22T21:41:59.999999Z"),
        altered(slot, height=0),
        _signed_early(state),
        altered(slot, tree={"root": b"x" * 32}),
        altered(slot, tree={"size": 6}),
        altered(slot, tree={"origin": "other.test/log"}),
        altered(slot, signer=SignerKey.generate(SIGNER.name)),
        Slot(slot.block, slot.checkpoint, (entry(5), entry(7))).encode(),
        Slot(slot.block, slot.checkpoint, (entry(5),)).encode(),
        Slot(slot.block, slot.block, slot.entries).encode(),
    ):
        with pytest.raises(Corrupted):
            await manager.commit(slot=wrong)
    for wrong in (altered(slot, previous="1" * 64), altered(slot, height=2), altered(slot, height=5)):
        with pytest.raises(Conflict):
            await manager.commit(slot=wrong)
    with pytest.raises(InvalidInput):
        await manager.commit(slot=b"")
    assert folder.files == files
    await manager.commit(slot=slot.encode())


async def test_a_restart_takes_up_the_state() -> None:
    folder = MemoryFolder()
    state = await grow(await manager_of(folder), 300, 700)
    again = await manager_of(folder)
    assert await again.state() == state
    await grow(again, 1000)
    assert (await again.fsck()).problems == ()


async def test_a_crash_between_any_two_writes_leaves_the_old_or_the_new_state() -> None:
    start = MemoryFolder()
    before = await grow(await manager_of(start), 250, 500)
    whole = MemoryFolder(start.files)
    manager = await manager_of(whole)
    steps = whole.steps
    after = await grow(manager, 770)
    steps = whole.steps - steps
    assert steps > 10
    seen, put_aside = set(), 0
    for count in range(steps + 1):
        folder = MemoryFolder(start.files)
        crashing = await manager_of(folder)
        folder.writes_left = count
        with contextlib.suppress(Crash):
            await grow(crashing, 770)
        folder.writes_left = None
        again = await manager_of(folder)
        state = await again.state()
        assert state in (before, after)
        seen.add(state.size)
        assert sum(path.startswith("block/") for path in folder.files) == state.height + 1
        cut_off = [path for path in folder.files if path.startswith("aside/")]
        problems = (await again.fsck()).problems
        assert [problem.partition(":")[0] for problem in problems] == cut_off
        put_aside += len(cut_off)
        await grow(again, 800)
        await again.check()
        assert (await again.fsck()).problems == ()
        await grow(again, 1024)
        # Nothing of the interrupted commit is left over.
        clean = MemoryFolder(start.files)
        await grow(await manager_of(clean), state.size, 800, 1024)
        assert folder.files.keys() == clean.files.keys()
    assert seen == {500, 770}
    assert put_aside


async def test_a_crash_in_the_first_commit_leaves_an_empty_log() -> None:
    for count in range(4):
        folder = MemoryFolder()
        manager = await manager_of(folder)
        folder.writes_left = count
        with pytest.raises(Crash):
            await grow(manager, 3)
        folder.writes_left = None
        again = await manager_of(folder)
        assert (await again.state()).size == 0
        await grow(again, 4)
        assert (await again.fsck()).problems == ()


async def test_a_full_disk_leaves_the_state_and_the_slot_can_be_repeated() -> None:
    folder = MemoryFolder()
    manager = await manager_of(folder)
    state = await grow(manager, 300)
    slot = slot_after(state, [entry(300)])
    folder.refuse = StorageFull("full")
    with pytest.raises(StorageFull):
        await manager.commit(slot=slot)
    assert await manager.state() == state
    folder.refuse = None
    assert (await manager.commit(slot=slot)).size == 301


async def test_a_log_of_another_key_is_refused() -> None:
    folder = MemoryFolder()
    await grow(await manager_of(folder), 3)
    other = SignerKey.generate(SIGNER.name).verifier
    with pytest.raises(Corrupted, match="key"):
        await BlockManager(folder=folder, verifier=other).start()
    del folder.files["key"]
    with pytest.raises(Corrupted, match="signature"):
        await BlockManager(folder=folder, verifier=other).start()


@pytest.mark.parametrize(
    "path", ["checkpoint", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/002.p/188", "block/001"]
)
async def test_a_start_on_missing_or_damaged_newest_files_is_refused(path: str) -> None:
    folder = MemoryFolder()
    await grow(await manager_of(folder), 300, 700)
    whole = folder.files.pop(path)
    with pytest.raises(Corrupted):
        await manager_of(folder)
    named = path if path in {"checkpoint", "block/001"} else "tile"
    for damaged in (whole[:20] + bytes([whole[20] ^ 1]) + whole[21:], b""):
        folder.files[path] = damaged
        with pytest.raises(Corrupted, match=named):
            await manager_of(folder)


async def test_a_checkpoint_put_back_to_an_older_one_is_refused() -> None:
    folder = MemoryFolder()
    manager = await manager_of(folder)
    await grow(manager, 256)
    old = folder.files["checkpoint"]
    await grow(manager, 512, 768)
    whole = dict(folder.files)
    folder.files["checkpoint"] = old
    with pytest.raises(Corrupted, match="rolled back"):
        await manager_of(folder)
    assert folder.files == whole | {"checkpoint": old}


async def rolled_back_by_one_slot() -> tuple[MemoryFolder, MemoryFolder]:
    """A log whose checkpoint alone was put back by one block, and the log as it was."""
    whole = MemoryFolder()
    manager = await manager_of(whole)
    await grow(manager, 300)
    old = whole.files["checkpoint"]
    await grow(manager, 320)
    # Somebody who puts back a copy leaves the newer files, and brings the partial tiles that were replaced.
    before = MemoryFolder()
    await grow(await manager_of(before), 300)
    return MemoryFolder(whole.files | before.files | {"checkpoint": old}), whole


async def test_a_block_beyond_the_checkpoint_is_evidence_until_the_log_has_its_entries() -> None:
    folder, whole = await rolled_back_by_one_slot()
    for _ in range(2):  # a second start changes nothing
        manager = await manager_of(folder)
        (aside,) = await folder.list("aside")
        assert folder.files[aside] == whole.files["block/001"]
        assert "block/001" not in folder.files
        assert folder.files.keys() >= whole.files.keys() - {"block/001"}  # the entries are still there, too
        with pytest.raises(Corrupted, match=f"{aside}: block 1 of 320 entries"):
            await manager.check()
        assert [problem.partition(":")[0] for problem in (await manager.fsck()).problems] == [aside]
    await grow(manager, 310)
    with pytest.raises(Corrupted):
        await manager.check()
    await grow(manager, 330)
    await manager.check()
    assert await folder.list("aside") == []
    assert (await manager.fsck()).problems == ()


async def test_a_block_of_other_entries_stays_aside() -> None:
    folder, _ = await rolled_back_by_one_slot()
    manager = await manager_of(folder)
    await manager.commit(slot=slot_after(await manager.state(), [entry(n) for n in range(1000, 1100)]))
    again = await manager_of(folder)
    for one in (manager, again):
        with pytest.raises(Corrupted, match="the log does not have its entries"):
            await one.check()
    assert len((await again.fsck()).problems) == 1


async def test_what_is_no_block_stays_aside() -> None:
    folder, _ = await rolled_back_by_one_slot()
    folder.files["block/001"] = folder.files["block/001"].replace(b"height 1", b"height 2")
    manager = await manager_of(folder)
    await grow(manager, 330)
    with pytest.raises(Corrupted, match="no block of this log"):
        await manager.check()


async def test_fsck_counts_what_it_checked() -> None:
    manager = await manager_of(MemoryFolder())
    await grow(manager, 300, 700)
    report = await manager.fsck()
    assert report.model_dump() == {
        "entries": 700,
        "blocks": 2,
        "tiles": 7,
        "root": root_of(700).hex(),
        "problems": (),
    }
    assert (await (await manager_of(MemoryFolder())).fsck()).problems == ()


async def test_fsck_between_a_checkpoint_and_the_word_that_it_is_published() -> None:
    folder = MemoryFolder()
    await grow(await manager_of(folder), 300)
    assert (await fsck(folder, VERIFIER, size=lambda: 299)).problems == ()


async def test_fsck_finds_a_flipped_bit_in_every_file() -> None:
    whole = MemoryFolder()
    await grow(await manager_of(whole), 1, 300, 700)
    chooser = random.Random(3)
    for path, data in whole.files.items():
        for position in {0, len(data) - 2, *(chooser.randrange(len(data)) for _ in range(3))}:
            folder = MemoryFolder(whole.files)
            folder.files[path] = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
            problems = (await fsck(folder, VERIFIER)).problems
            assert problems, (path, position)
            stem = path.partition(".p")[0].removeprefix("tile/entries/")
            assert any(stem in problem or "tile/0" in problem for problem in problems), problems


async def test_fsck_finds_every_missing_and_every_cut_file() -> None:
    whole = MemoryFolder()
    await grow(await manager_of(whole), 1, 300, 700)
    for path, data in whole.files.items():
        for content in (None, data[:-1], b""):
            folder = MemoryFolder(whole.files)
            del folder.files[path]
            if content is not None:
                folder.files[path] = content
            problems = (await fsck(folder, VERIFIER)).problems
            assert any(path in problem for problem in problems), (path, problems)


async def test_fsck_finds_a_log_rewritten_by_someone_with_the_key() -> None:
    """Blocks signed anew over other entries: each for itself is fine, the chain or the root is not."""
    one, two = MemoryFolder(), MemoryFolder()
    await grow(await manager_of(one), 2, 4)
    manager = await manager_of(two)
    await manager.commit(slot=slot_after(await manager.state(), [entry(8), entry(9)]))
    await grow(manager, 4)
    one.files["block/000"] = two.files["block/000"]
    problems = (await fsck(one, VERIFIER)).problems
    assert any("block/000: the root" in problem for problem in problems)
    assert any("block/001: does not name the digest" in problem for problem in problems)


async def test_fsck_finds_entries_dated_after_their_block() -> None:
    """By somebody with the key, for the rules of a slot forbid it; the entries of other blocks are not blamed."""
    early, late = entry(7), entry(7).replace(b"T21:42:00.000000Z", b"T21:47:00.000001Z")
    log = MemoryFolder()
    state = await grow(await manager_of(log), 254)
    entries = [early, early, late, early, b"{}"]
    log.files |= written_by_hand(state, [entry(n) for n in range(254)], entries)
    assert (await fsck(log, VERIFIER)).problems == (
        "block/001, entry 256: its time is more than 5 minutes after that of the block",
        "block/001, entry 258: entry: it has no time",
    )


async def test_the_log_over_http() -> None:
    manager = await manager_of(MemoryFolder())
    app = Starlette(routes=routes(manager, VERIFIER.format()))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://log") as client:
        with pytest.raises(NotFound):
            await client.get("/checkpoint")
        state = await grow(manager, 300)
        answer = await client.get("/checkpoint")
        assert (answer.text, answer.headers["content-type"]) == (state.checkpoint, "text/plain; charset=utf-8")
        assert answer.headers["cache-control"] == "no-cache"
        assert (await client.get("/key")).text == VERIFIER.format() + "\n"
        answer = await client.get("/tile/0/000")
        assert (len(answer.content), answer.headers["content-type"]) == (8192, "application/octet-stream")
        assert "immutable" in answer.headers["cache-control"]
        assert len((await client.get("/tile/0/001.p/44")).content) == 44 * 32
        assert (await client.get("/tile/entries/001.p/1")).content[2:] == entry(256)
        assert (await client.get("/block/000")).text == await manager.block(height=0)
        for path in ("/block/001", "/block/0", "/block/000.p/3", "/tile/entries/002"):
            with pytest.raises(NotFound):
                await client.get(path)


async def test_all_earlier_trees_are_beginnings_of_a_large_one() -> None:
    manager = await manager_of(MemoryFolder())
    sizes = [*range(1, 70), 255, 256, 257, 1000, 16_384, 16_385, 65_535, 65_536, 65_537, 70_000]
    roots = {}
    for size in sizes:
        state = await grow(manager, size)
        roots[size] = Checkpoint.from_text(open_note(state.checkpoint, VERIFIER)).root
    for old in sizes:
        for new in (70_000, 65_537, 257):
            if old <= new:
                proof = [bytes.fromhex(value) for value in await manager.consistency(old=old, new=new)]
                assert merkle.verify_consistency(old, new, roots[old], roots[new], proof)
    report = await manager.fsck()
    assert (report.entries, report.blocks, report.problems) == (70_000, len(sizes), ())
