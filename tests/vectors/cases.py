"""The vectors: what is verified, and the step that must fail. Each lies in one thing and is honest otherwise."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lucid.base.clock import shift_time
from lucid.crypto.merkle import node_hash
from lucid.crypto.note import sign
from lucid.model.bundle import Bundle
from lucid.model.entry import LogEntry
from lucid.model.frame import encode_frames
from lucid.model.manifest import WrappedKey
from lucid.model.session import RecorderNumber
from tests.vectors import build
from tests.vectors.build import (
    LOG_KEY,
    OTHER_KEY,
    Files,
    Log,
    Session,
    at,
    flip,
    other_entry,
    prove,
    proven,
    recording,
    seal,
    seal_all,
)

KEYS: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "keys.json").read_text())
OWNER_KEY = WrappedKey(recipient=KEYS["owner"]["recipient"], wrapped=KEYS["owner"]["wrapped"])
SHORT_KEY = WrappedKey(recipient=KEYS["owner"]["recipient"], wrapped=KEYS["owner"]["wrapped_short"])
SECOND_KEY = WrappedKey(recipient=KEYS["other"]["recipient"], wrapped=KEYS["other"]["wrapped"])

OK, BAD_INPUT = "ok", "bad-input"


@dataclass
class Vector:
    """`expect`: the step that fails, `ok` or `bad-input`. Inputs that are None are those of the good session
    for bundle and key, and absent for the others; GOOD means the good session's."""

    name: str
    expect: int | str
    bundle: Bundle | bytes | None = None
    key: str | None = None
    recording: Files | str | None = None
    identity: str | None = None
    log: Files | str | None = None
    checkpoint: str | None = None
    without_bundle: bool = field(default=False)


GOOD = "good"


def session(number: int = 2, sequence: int = 2, **changes: Any) -> Session:
    """The session that most vectors are about: the second of recorder rec-one."""
    fields: dict[str, Any] = {"chunks": seal_all(build.session_id(number)), "keys": (SECOND_KEY, OWNER_KEY)} | changes
    return Session(number=number, sequence=sequence, **fields)


def before() -> Log:
    """The log up to the moment when that session opens: another entry, and a session before it."""
    first = Session(number=1, sequence=1)
    return Log().add(other_entry(1), first.opened_entry()).add(first.closed_entry())


def log_with(subject: Session) -> Log:
    """The log that holds the session, with another recorder's session between opening and closing."""
    other = Session(number=3, recorder="rec-two", sequence=1)
    log = before().add(subject.opened_entry(), other.opened_entry())
    return log.add(other.closed_entry(), subject.closed_entry())


def grown(log: Log) -> Log:
    """The log with one more session and one that is still open."""
    third = Session(number=4, sequence=3)
    still_open = Session(number=5, sequence=4)
    return log.copy().add(third.opened_entry(), third.closed_entry()).add(still_open.opened_entry())


def told(expect: int | str, name: str, subject: Session, **inputs: Any) -> Vector:
    """A vector in which the platform itself lied before it committed: everything else fits the lie."""
    return Vector(name, expect, prove(subject, log_with(subject)), **inputs)


def changed(value: Any, **fields: Any) -> Any:
    return value.model_copy(update=fields)


def good() -> tuple[Session, Log]:
    subject = session()
    return subject, log_with(subject)


def vectors() -> Iterator[Vector]:
    """All vectors, in the order of the steps."""
    yield from _verified()
    yield from _anchoring()
    yield from _recording()
    yield from _decryption()
    yield from _log()
    yield from _consistency()
    yield from _sequence()
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
    long = Log().add(*(other_entry(number) for number in range(300)))
    yield Vector("two-levels-of-tiles", OK, log=long.files(), without_bundle=True)
    path = "tile/1/000.p/1"
    yield Vector("tile-above-altered", 12, log=_altered(long, path), without_bundle=True)


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
    twice = build.Chunk(changed(a.record, index=1, first_us=a.record.last_us), a.data)
    yield told(10, "header-repeated", session(chunks=[a, twice]), recording=recording([a, twice]))
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
        ("frame-cut", {"plain": build.compress(frames[:-1]), "length": len(frames) - 1}),
        ("frames-fewer-than-counted", {"frames": 5}),
        ("first-time-otherwise", {"first_us": 1}),
        ("last-time-otherwise", {"last_us": 900_001}),
    ):
        chunks = [seal(subject.id, 0, bytes(32), **changes)]
        yield told(11, name, session(chunks=chunks), recording=recording(chunks), identity="owner")


def _altered(log: Log, path: str, position: int = -1, mask: int = 1) -> Files:
    files = log.files()
    return files | {path: flip(files[path], position, mask)}


def _log() -> Iterator[Vector]:
    subject, log = good()
    last = log.blocks[-1].height
    yield Vector("entry-altered", 12, log=_altered(log, "tile/entries/000.p/7", 100))
    yield Vector("tile-altered", 12, log=_altered(log, "tile/0/000.p/7"))
    yield Vector("tile-missing", 12, log={k: v for k, v in log.files().items() if not k.startswith("tile/0/")})
    yield Vector("block-altered", 12, log=_altered(log, "block/001", 20))
    yield Vector("block-missing", 12, log={k: v for k, v in log.files().items() if k != f"block/{last:03d}"})
    another = sign(log.blocks[1].to_text(), OTHER_KEY).encode()
    yield Vector("block-of-another-signer", 12, log=log.files() | {"block/001": another})
    yield Vector("log-of-another-key", 12, log=_resigned(log).files())
    yield Vector("key-file-of-another", 12, log=log.files() | {"key": _resigned(log).files()["key"]})
    for name, lies in (
        ("block-unchained", {"previous": "1" * 64}),
        ("block-time-goes-back", {"time": at(0)}),
        ("block-miscounts", {"entries": 3}),
        ("block-root", {"root": bytes(32)}),
    ):
        lying = before()
        lying.add(subject.opened_entry(), other_entry(2), **lies)
        yield Vector(name, 12, log=lying.files(), without_bundle=True)
    yield Vector("checkpoint-without-its-block", 12, log=log.files() | _only_checkpoint(before()))
    yield Vector("blocks-beyond-the-checkpoint", 12, log=grown(log).files() | _only_checkpoint(log))
    idle = before().add().add(subject.opened_entry())
    yield Vector("block-without-entries", 12, log=idle.files(), without_bundle=True)
    rooted = log.files() | {"checkpoint": _other_root(log).encode()}
    yield Vector("checkpoint-of-another-root", 12, log=rooted, without_bundle=True)
    yield Vector("log-rolled-back", 12, log=before().files())
    forked = before().add(other_entry(7), other_entry(8)).add(other_entry(9), other_entry(10))
    yield Vector("log-forked", 12, log=forked.files())


def _only_checkpoint(log: Log) -> Files:
    files = log.files()
    return {path: data for path, data in files.items() if path == "checkpoint" or path.startswith("tile/")}


def _other_root(log: Log) -> str:
    return log.checkpoint(root=node_hash(bytes(32), bytes(32)))


def _resigned(log: Log) -> Log:
    copy = log.copy()
    copy.signer = OTHER_KEY
    return copy


def _consistency() -> Iterator[Vector]:
    _, log = good()
    yield Vector("rolled-back-since", 13, log=GOOD, checkpoint=grown(log).checkpoint())
    forked = before().add(other_entry(7), other_entry(8))
    yield Vector("forked-since", 13, log=GOOD, checkpoint=forked.checkpoint())
    yield Vector("forked-at-the-bundle", 13, checkpoint=_other_root(log))
    yield Vector("checkpoint-of-another-key", 13, log=GOOD, checkpoint=_resigned(log).checkpoint())
    yield Vector("log-needed", 13, checkpoint=before().checkpoint())


def _sequence() -> Iterator[Vector]:
    _, log = good()
    late = Session(number=4, sequence=3)

    def entries(name: str, *added: bytes) -> Vector:
        return Vector(name, 14, log=log.copy().add(*added).files())

    yield entries("session-removed", Session(number=5, sequence=4).opened_entry())
    yield entries("begins-at-two", Session(number=5, recorder="rec-new", sequence=2).opened_entry())
    yield entries("number-used-twice", Session(number=5, sequence=2).opened_entry())
    yield entries("session-opened-twice", Session(number=2, sequence=3).opened_entry())
    yield entries("closed-without-opening", late.closed_entry())
    differently = Session(number=4, sequence=3, change_manifest=lambda m: changed(m, user="mallory"))
    yield entries("two-closings", late.opened_entry(), late.closed_entry(), differently.closed_entry())
    stranger = Session(number=4, sequence=9)
    yield entries("closing-of-another-number", late.opened_entry(), stranger.closed_entry())
    day = Session(number=4, sequence=3, change_closed_entry=lambda e: changed(e, time=at(400 + 28_800 + 900 + 86_401)))
    yield entries("closed-too-late", day.opened_entry(), day.closed_entry())
    forever = Session(number=4, sequence=3, change_opened_entry=lambda e: changed(e, closes_by=at(700_000)))
    yield entries("never-due", forever.opened_entry())
    yield entries("opening-without-number", changed(LogEntry.from_bytes(late.opened_entry()), sequence=None).to_bytes())
    yield entries("entry-not-canonical", other_entry(11).replace(b'","', b'", "'))
    overdue = log.copy().add(late.opened_entry()).add(other_entry(12), time=at(400 + 28_800 + 900 + 86_401))
    yield Vector("never-closed", 14, log=overdue.files())
    yield Vector("never-closed-log-alone", 14, log=overdue.files(), without_bundle=True)


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
    yield Vector("recording-is-no-folder", BAD_INPUT, recording="keys.json")
    yield Vector("log-is-no-log", BAD_INPUT, log="good/recording")
    yield Vector("identity-is-none", BAD_INPUT, recording=GOOD, identity="keys")
    yield Vector("checkpoint-is-none", BAD_INPUT, checkpoint="nothing signed")
