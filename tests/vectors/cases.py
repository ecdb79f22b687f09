"""The vectors: what is verified, and the step that must fail. Each lies in one thing and is honest otherwise."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import zstandard

from lucid.base.clock import shift_time
from lucid.crypto.note import sign
from lucid.model.bundle import Bundle
from lucid.model.canonical import NO_DIGEST
from lucid.model.entry import LogEntry
from lucid.model.frame import Direction, Frame, encode_frames
from lucid.model.session import RecorderNumber
from tests.vectors import build
from tests.vectors.build import (
    LOG_KEY,
    OTHER_KEY,
    Log,
    Session,
    at,
    flip,
    prove,
    proven,
    recording,
    seal,
    seal_all,
)
from tests.vectors.log_cases import log_cases
from tests.vectors.world import (
    BAD_INPUT,
    GOOD,
    OK,
    OWNER_KEY,
    SECOND_KEY,
    SHORT_KEY,
    Vector,
    before,
    changed,
    good,
    grown,
    session,
    told,
)


def vectors() -> Iterator[Vector]:
    """All vectors, in the order of the steps."""
    yield from _verified()
    yield from _anchoring()
    yield from _recording()
    yield from _decryption()
    yield from log_cases()
    yield from _bad_input()


def _verified() -> Iterator[Vector]:
    subject, log = good()
    every: dict[str, Any] = {"recording": GOOD, "identity": "owner", "log": GOOD}
    yield Vector("everything", OK, checkpoint=log.checkpoint(), **every)
    yield Vector("bundle-alone", OK)
    yield Vector("second-recipient", OK, recording=GOOD, identity="other")
    yield Vector("log-alone", OK, log=GOOD, without_bundle=True)
    yield Vector("earlier-checkpoint", OK, log=GOOD, checkpoint=before().checkpoint())
    yield Vector("equal-checkpoint-without-log", OK, checkpoint=log.checkpoint())
    yield Vector("log-has-grown", OK, log=grown(log).files(), checkpoint=grown(log).checkpoint())
    next_slot = f"block/{len(log.blocks):03d}"
    yield Vector("slot-being-written", OK, log=log.files() | {next_slot: grown(log).files()[next_slot]})
    yield told(OK, "no-chunks", session(chunks=[]))
    retried = seal_all(subject.id, first_attempt=2)
    yield told(OK, "sealed-again", session(chunks=retried), recording=recording(retried), identity="owner")
    repeated = log.copy().add(subject.opened_entry(), subject.closed_entry())
    yield Vector("repeated-to-the-letter", OK, log=repeated.files())
    note = log.checkpoint()
    cosigned = note + sign(note.split("\n\n")[0] + "\n", build.WITNESS_KEY).split("\n\n")[1]
    yield Vector("cosigned", OK, _under(subject, log, cosigned))
    extended = sign(note.split("\n\n")[0] + "\nan extension\n", LOG_KEY)
    yield Vector("checkpoint-with-extension", OK, _under(subject, log, extended))
    keys = session(keys=(SHORT_KEY, OWNER_KEY))
    yield told(OK, "short-key-passed-over", keys, recording=recording(keys.chunks), identity="owner")
    for name, chunk in (
        ("zstd-with-checksum", seal(subject.id, 0, bytes(32), plain=_summed())),
        ("zstd-window-at-the-limit", seal(subject.id, 0, bytes(32), plain=_windowed(17 << 3))),
        ("unknown-event", _chunk_of([*build.frames_of(0), _event(b'{"event":"resize"}')])),
    ):
        yield told(OK, name, session(chunks=[chunk]), recording=recording([chunk]), identity="owner")


def _under(subject: Session, log: Log, opened: str, closed: str | None = None) -> Bundle:
    """The bundle with other checkpoints in its proofs."""
    entries = subject.opened_entry(), subject.closed_entry()
    places = [log.entries.index(entry) for entry in entries]
    return prove(
        subject,
        log,
        opened=proven(entries[0], log.proof(places[0], opened)),
        closed=proven(entries[1], log.proof(places[1], closed or opened)),
    )


ENTRY_LIES: dict[str, Any] = {"session": build.session_id(9), "recorder": "rec-nine", "sequence": 9}


def _lying(**fields: Any) -> build.Change:
    return lambda value: changed(value, **fields)


def _anchoring() -> Iterator[Vector]:
    subject, log = good()
    bundle = prove(subject, log)
    opened, closed = subject.opened_entry(), subject.closed_entry()
    opened_at, closed_at = log.entries.index(opened), log.entries.index(closed)
    opening_proof, closing_proof = log.proof(opened_at), log.proof(closed_at)

    yield Vector("wrong-key", 1, key=OTHER_KEY.verifier.format())
    yield Vector("key-of-another-log", 1, key=build.WITNESS_KEY.verifier.format())
    yield Vector("two-checkpoints", 1, _under(subject, log, log.checkpoint(), before().checkpoint()))
    forged = sign(log.checkpoint().split("\n\n")[0] + "\n", OTHER_KEY)
    yield Vector("checkpoint-signed-by-another", 1, _under(subject, log, forged))
    yield Vector("checkpoint-of-another-origin", 1, _under(subject, log, log.checkpoint(origin="elsewhere")))
    empty_line = sign(log.checkpoint().split("\n\n")[0] + "\n\n", LOG_KEY)
    yield Vector("checkpoint-with-an-empty-line", 1, _under(subject, log, empty_line))
    forgery = base64.b64encode(LOG_KEY.verifier.key_id + bytes(64)).decode()
    signed_twice = f"{log.checkpoint()}\u2014 {LOG_KEY.name} {forgery}\n"
    yield Vector("second-signature-is-bad", 1, _under(subject, log, signed_twice))
    yield Vector("no-proof", 1, changed(bundle, opened=changed(bundle.opened, proof="no proof")))
    extra = bundle.opened.proof.replace("\nindex", "\nextra AAAA\nindex", 1)
    yield Vector("proof-with-extra", 1, changed(bundle, opened=changed(bundle.opened, proof=extra)))

    altered = LogEntry.from_bytes(opened)
    yield Vector(
        "opening-altered", 2, prove(subject, log, opened=proven(changed(altered, actor="x").to_bytes(), opening_proof))
    )
    shifted = type(opening_proof)(opened_at + 1, opening_proof.path, opening_proof.checkpoint)
    yield Vector("opening-index-shifted", 2, prove(subject, log, opened=proven(opened, shifted)))
    cut = type(opening_proof)(opened_at, opening_proof.path[:-1], opening_proof.checkpoint)
    yield Vector("opening-proof-cut", 2, prove(subject, log, opened=proven(opened, cut)))
    loose = bundle.opened.entry.replace("==", "=").rstrip("=")
    padding = bundle.opened.entry[len(loose) :]
    assert padding, "the entry's base64 has bits to spare"
    loose = loose[:-1] + chr(ord(loose[-1]) + 1) + padding
    yield Vector("opening-base64-not-canonical", 2, changed(bundle, opened=changed(bundle.opened, entry=loose)))
    bent = type(closing_proof)(closed_at, (flip(closing_proof.path[0], 0), *closing_proof.path[1:]), log.checkpoint())
    yield Vector("closing-proof-bent", 3, prove(subject, log, closed=proven(closed, bent)))
    early = before().add(closed, opened)
    yield Vector("closing-before-opening", 3, prove(subject, early))

    for name, lie in ENTRY_LIES.items():
        yield told(4, f"opening-of-another-{name}", session(change_opened_entry=_lying(**{name: lie})))
        yield told(5, f"closing-of-another-{name}", session(change_closed_entry=_lying(**{name: lie})))
    yield told(5, "closing-of-another-type", session(change_closed_entry=_lying(type="session.opened")))
    yield told(4, "opening-of-another-type", session(change_opened_entry=lambda e: changed(e, type="host.added")))
    yield Vector("opening-statement-forged", 4, prove(subject, log, opening=changed(bundle.opening, user="mallory")))
    yield told(4, "opening-time", session(change_opened_entry=lambda e: changed(e, time=shift_time(e.time, 1))))
    yield told(4, "opening-closes-by", session(change_opened_entry=lambda e: changed(e, closes_by=at(1_000))))
    spaced = session(change_opened_entry=lambda e: e.to_bytes().replace(b",", b", "))
    yield told(4, "opening-not-canonical", spaced)
    yield Vector("manifest-forged", 5, prove(subject, log, manifest=changed(bundle.manifest, user="mallory")))
    yield told(5, "closing-with-closes-by", session(change_closed_entry=_lying(closes_by=at(99_999))))
    yield told(5, "closing-before-the-end", session(change_closed_entry=lambda e: changed(e, time=subject.opened)))
    other = Session(number=3, recorder="rec-two", sequence=1).closed_entry()
    yield Vector("closing-swapped", 5, prove(subject, log, closed=proven(other, log.proof(5))))
    for name, lie in (("user", "mallory"), ("host", "elsewhere"), ("policy", "0" * 64), ("opened", at(199))):
        yield told(6, f"another-{name}", session(change_manifest=_lying(**{name: lie})))
    number = RecorderNumber(id=ENTRY_LIES["recorder"], sequence=2)
    later = RecorderNumber(id="rec-one", sequence=ENTRY_LIES["sequence"])
    for name, body in (
        ("session", {"session": ENTRY_LIES["session"]}),
        ("recorder", {"recorder": number}),
        ("sequence", {"recorder": later}),
    ):
        entry = _lying(**{name: ENTRY_LIES[name]})
        yield told(6, f"another-{name}", session(change_manifest=_lying(**body), change_closed_entry=entry))
    yield told(6, "closed-before-opened", session(change_manifest=lambda m: changed(m, closed=at(199))))
    yield Vector("block-of-another-size", 7, changed(bundle, block=log.block(0)))
    yield Vector("block-signed-by-another", 7, changed(bundle, block=sign(log.blocks[-1].to_text(), OTHER_KEY)))
    last = log.blocks[-1]
    for name, block in (
        ("root", replace(last, root=bytes(32))),
        ("origin", replace(last, origin="elsewhere")),
        ("size", replace(last, size=8)),
    ):
        yield Vector(f"block-that-says-another-{name}", 7, changed(bundle, block=sign(block.to_text(), LOG_KEY)))
    for name, block in (
        ("without-entries", replace(last, entries=0)),
        ("of-more-entries-than-size", replace(last, entries=8)),
        ("too-high-for-its-size", replace(last, height=6)),
        ("without-previous", replace(last, previous=NO_DIGEST)),
        ("zero-with-previous", replace(last, height=0, entries=7)),
        ("zero-after-others", replace(last, height=0, previous=NO_DIGEST)),
    ):
        yield Vector(f"block-{name}", 7, changed(bundle, block=sign(block.to_text(), LOG_KEY)))
    yield told(7, "closing-after-the-block", session(change_closed_entry=_lying(time=at(200_000))))


def _recording() -> Iterator[Vector]:
    subject, log = good()
    a, b, c = subject.chunks
    files = recording(subject.chunks)
    foreign = seal_all(build.session_id(3))

    for name, chunks in (
        ("chunk-dropped", [a, b]),
        ("chunk-repeated", [a, b, b, c]),
        ("chunks-reordered", [a, c, b]),
        ("chunk-swapped", [a, foreign[1], c]),
    ):
        yield Vector(name, 8, prove(subject, log, chunks=tuple(chunk.record for chunk in chunks)))
    attempt = (a.record, changed(b.record, attempt=1), c.record)
    yield Vector("chunk-attempt-altered", 8, prove(subject, log, chunks=attempt))
    yield told(8, "frames-miscounted", session(change_manifest=lambda m: changed(m, frames=m.frames + 1)))
    counted = session(change_manifest=lambda m: changed(m, chunks=changed(m.chunks, count=4)))
    yield told(8, "chunks-miscounted", counted)
    shifted = [build.Chunk(changed(chunk.record, index=chunk.record.index + 1), chunk.data) for chunk in (a, b)]
    yield told(8, "indices-shifted", session(chunks=shifted))
    backwards = [a, seal(subject.id, 1, bytes.fromhex(a.record.digest), first_us=0)]
    yield told(8, "time-goes-back", session(chunks=backwards))
    for name, fields in (
        ("chunk-shorter-than-its-header", {"size": 115}),
        ("chunk-longer-than-allowed", {"size": 2**26 + 1}),
        ("frames-longer-than-allowed", {"length": 2**26 + 1}),
        ("frames-without-room-for-heads", {"length": 4 * 13 - 1}),
        ("attempt-over-32-bits", {"attempt": 2**32}),
    ):
        yield told(8, name, session(chunks=[build.Chunk(changed(a.record, **fields), a.data)]))
    same = build.Chunk(changed(a.record, index=1, first_us=a.record.last_us), a.data)
    yield told(8, "chunk-listed-twice", session(chunks=[a, same]))

    yield Vector("file-missing", 9, recording={k: v for k, v in files.items() if k != b.record.digest})
    yield Vector("file-truncated", 9, recording=files | {c.record.digest: c.data[:-1]})
    yield Vector("file-bit-flipped", 9, recording=files | {b.record.digest: flip(b.data, 150, 0x10)})
    yield Vector("file-of-another-session", 9, recording=files | {b.record.digest: foreign[1].data})
    longer = build.Chunk(changed(a.record, size=a.record.size + 1), a.data)
    yield told(9, "file-of-another-size", session(chunks=[longer]), recording=recording([longer]))
    yield Vector("file-too-many", 9, recording=files | {foreign[0].record.digest: foreign[0].data})

    first = bytes.fromhex(a.record.digest)
    for name, lying in (
        ("header-of-another-session", seal(build.session_id(3), 1, first)),
        ("header-breaks-the-chain", seal(subject.id, 1, bytes(32))),
        ("header-without-magic", seal(subject.id, 1, first, magic=b"LUCIDCK2")),
    ):
        chunks = [a, lying]
        yield told(10, name, session(chunks=chunks), recording=recording(chunks))
    again = seal(subject.id, 0, first, attempt=1, first_us=a.record.last_us)
    again = build.Chunk(changed(again.record, index=1), again.data)
    yield told(10, "header-of-another-index", session(chunks=[a, again]), recording=recording([a, again]))
    more = build.Chunk(changed(a.record, frames=5), a.data)
    yield told(10, "header-counts-otherwise", session(chunks=[more]), recording=recording([more]))


def _decryption() -> Iterator[Vector]:
    subject = session()
    frames = encode_frames(build.frames_of(0))
    alone = session(keys=(SECOND_KEY,))
    yield told(11, "wrong-identity", alone, recording=recording(alone.chunks), identity="owner")
    short = session(keys=(SHORT_KEY,))
    yield told(11, "key-too-short", short, recording=recording(short.chunks), identity="owner")
    for name, changes in (
        ("sealed-with-another-key", {"key": bytes(32)}),
        ("not-compressed", {"plain": frames}),
        ("two-zstd-frames", {"plain": build.compress(frames) + build.compress(b"")}),
        ("zstd-longer-than-announced", {"plain": build.compress(frames + bytes(1_000_000))}),
        ("zstd-skippable-frame", {"plain": bytes.fromhex("502a4d1803000000") + b"abc" + build.compress(frames)}),
        ("zstd-checksum-wrong", {"plain": _summed(1)}),
        ("zstd-window-over-the-limit", {"plain": _windowed(17 << 3 | 1)}),
        ("frame-cut", {"plain": build.compress(frames[:-1]), "length": len(frames) - 1}),
        ("frames-fewer-than-counted", {"frames": 5}),
        ("first-time-otherwise", {"first_us": 1}),
        ("last-time-otherwise", {"last_us": 900_001}),
    ):
        chunks = [seal(subject.id, 0, bytes(32), **changes)]
        yield told(11, name, session(chunks=chunks), recording=recording(chunks), identity="owner")
    start, *others = build.frames_of(0)
    for name, changed_frames in (
        ("no-start-event", others),
        ("start-is-not-first", [replace(others[0], time_us=0), start, *others[1:]]),
        ("start-twice", [start, *others, replace(start, time_us=900_000)]),
        ("start-with-another-field", [replace(start, data=start.data[:-1] + b',"zoom":2}'), *others]),
        ("start-not-canonical", [replace(start, data=start.data.replace(b",", b", ")), *others]),
        ("event-not-canonical", [start, *others, _event(b'{"event": "resize"}')]),
        ("event-is-no-object", [start, *others, _event(b"[]")]),
        ("event-without-kind", [start, *others, _event(b"{}")]),
        ("event-with-fraction", [start, *others, _event(b'{"event":"resize","factor":1.5}')]),
    ):
        chunk = _chunk_of(changed_frames)
        yield told(11, name, session(chunks=[chunk]), recording=recording([chunk]), identity="owner")


def _event(data: bytes) -> Frame:
    return Frame(900_000, Direction.EVENT, data)


def _chunk_of(frames: list[Frame]) -> build.Chunk:
    """The first chunk with frames of one's own, and a header that tells the truth of them."""
    encoded = encode_frames(frames)
    span: dict[str, Any] = {"first_us": frames[0].time_us, "last_us": frames[-1].time_us, "frames": len(frames)}
    return seal(session().id, 0, bytes(32), plain=build.compress(encoded), length=len(encoded), **span)


def _summed(mask: int = 0) -> bytes:
    """The first chunk's frames compressed with a checksum; a mask other than 0 spoils it."""
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(encode_frames(build.frames_of(0)))
    return flip(packed, -1, mask)


def _windowed(descriptor: int) -> bytes:
    """The first chunk's frames as one raw block of a zstd frame with that window descriptor (RFC 8878, 3.1.1.1.2)."""
    frames = encode_frames(build.frames_of(0))
    block = (len(frames) << 3 | 1).to_bytes(3, "little") + frames
    return bytes.fromhex("28b52ffd00") + bytes([descriptor]) + block


def _bad_input() -> Iterator[Vector]:
    subject, log = good()
    data = prove(subject, log).to_bytes()
    yield Vector("empty-bundle", BAD_INPUT, b"")
    yield Vector("bundle-cut", BAD_INPUT, data[:-1])
    yield Vector("bundle-not-canonical", BAD_INPUT, data.replace(b",", b", ", 1))
    yield Vector("bundle-with-another-field", BAD_INPUT, data[:-1] + b',"zzz":1}')
    yield Vector("bundle-of-another-format", BAD_INPUT, data.replace(b"lucid-bundle/1", b"lucid-bundle/2"))
    yield Vector("number-too-large", BAD_INPUT, data.replace(b'"frames":12', b'"frames":%d' % 2**53))
    yield Vector("key-is-no-key", BAD_INPUT, key="lucid.example/log")
    yield Vector("key-with-wrong-id", BAD_INPUT, key=LOG_KEY.verifier.format().replace("+", "+0", 1)[:-1])
    yield Vector("recording-is-no-folder", BAD_INPUT, recording="good/key")
    yield Vector("log-is-no-log", BAD_INPUT, log="good/recording")
    yield Vector("identity-is-none", BAD_INPUT, recording=GOOD, identity="keys")
    yield Vector("checkpoint-is-none", BAD_INPUT, checkpoint="nothing signed")
    yield Vector("now-is-no-time", BAD_INPUT, log=GOOD, now="tomorrow")
