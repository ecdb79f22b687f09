"""The vectors of steps 12 to 14: logs that lie, whose operator may sign what he likes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lucid.base.clock import shift_time
from lucid.crypto.merkle import node_hash
from lucid.crypto.note import sign
from lucid.model.entry import LogEntry
from tests.vectors.build import LOG_KEY, OTHER_KEY, Files, Log, Session, at, flip, other_entry, prove
from tests.vectors.world import GOOD, OK, Vector, before, changed, good, grown

TOO_LATE = at(400 + 28_800 + 900 + 86_401)
"""A second more than a day after session 4 should have been closed."""


def log_cases() -> Iterator[Vector]:
    """The vectors of these steps."""
    yield from _log()
    yield from _consistency()
    yield from _sequence()
    yield from _liveness()


def _altered(log: Log, path: str, position: int = -1, mask: int = 1) -> Files:
    files = log.files()
    return files | {path: flip(files[path], position, mask)}


def _log() -> Iterator[Vector]:
    subject, log = good()
    last = log.blocks[-1].height
    yield Vector("entry-altered", 12, log=_altered(log, "tile/entries/000.p/7", 100))
    yield Vector("tile-altered", 12, log=_altered(log, "tile/0/000.p/7"))
    long = Log().add(*(other_entry(number) for number in range(300)))
    yield Vector("two-levels-of-tiles", OK, log=long.files(), without_bundle=True)
    path = "tile/1/000.p/1"
    yield Vector("tile-above-altered", 12, log=_altered(long, path), without_bundle=True)
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
    blocks = {path: data for path, data in log.files().items() if path.startswith("block/")}
    yield Vector("checkpoint-inside-a-block", 12, log=_inside(log).files() | blocks, without_bundle=True)
    yield Vector("checkpoint-without-entries", 12, log=Log().files(), without_bundle=True)
    other_block = sign(replace(log.blocks[-1], proposer="somebody-else").to_text(), LOG_KEY)
    yield Vector("block-of-the-bundle-is-another", 12, prove(subject, log, block=other_block), log=GOOD)
    yield Vector("blocks-beyond-the-checkpoint", 12, log=grown(log).files() | _only_checkpoint(log))
    idle = before().add().add(subject.opened_entry())
    yield Vector("block-without-entries", 12, log=idle.files(), without_bundle=True)
    rooted = log.files() | {"checkpoint": _other_root(log).encode()}
    yield Vector("checkpoint-of-another-root", 12, log=rooted, without_bundle=True)
    yield Vector("log-rolled-back", 12, log=before().files())
    forked = before().add(other_entry(7), other_entry(8)).add(other_entry(9), other_entry(10))
    yield Vector("log-forked", 12, log=forked.files())


def _inside(log: Log) -> Log:
    """The log without its last entry, and without blocks."""
    shorter = Log()
    shorter.entries = log.entries[:-1]
    return shorter


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
    yield Vector("checkpoint-where-no-block-ends", 13, log=GOOD, checkpoint=_inside(log).checkpoint())
    yield Vector("checkpoint-of-nothing", 13, log=GOOD, checkpoint=Log().checkpoint())
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
    yield entries("closing-precedes-its-opening", late.closed_entry(), late.opened_entry())
    early = Session(number=4, sequence=3, change_closed_entry=lambda e: changed(e, time=at(399)))
    yield entries("closing-dated-before-its-opening", early.opened_entry(), early.closed_entry())
    dated = {"time": at(900_000), "closes_by": at(929_700)}
    future = Session(number=4, sequence=3, change_opened_entry=lambda e: changed(e, **dated))
    yield entries("opening-from-the-future", future.opened_entry())
    edge = shift_time(log.blocks[-1].time, 301)
    yield Vector("entry-five-minutes-ahead", OK, log=log.copy().add(_act(time=edge)).files())
    yield entries("entry-ahead-of-its-block", _act(time=shift_time(edge, 0.000001)))
    for name, value in (("session", late.id), ("recorder", "rec-one"), ("sequence", 3), ("closes_by", at(500))):
        yield entries(f"host-added-with-{name.replace('_', '-')}", _act(**{name: value}))
    yield entries("unknown-type-with-session", _act(type="moon.landed", session=late.id))
    yield entries("viewed-without-session", _act(type="recording.viewed"))
    yield Vector("unknown-type", OK, log=log.copy().add(_act(type="moon.landed")).files())
    forever = Session(number=4, sequence=3, change_opened_entry=lambda e: changed(e, closes_by=at(700_000)))
    yield entries("never-due", forever.opened_entry())
    yield entries("opening-without-number", changed(LogEntry.from_bytes(late.opened_entry()), sequence=None).to_bytes())
    yield entries("entry-not-canonical", other_entry(11).replace(b'","', b'", "'))
    overdue = log.copy().add(late.opened_entry()).add(other_entry(12), time=TOO_LATE)
    yield Vector("never-closed", 14, log=overdue.files())
    yield Vector("never-closed-log-alone", 14, log=overdue.files(), without_bundle=True)


def _act(**fields: Any) -> bytes:
    """An entry about no session, with other fields."""
    entry: bytes = changed(LogEntry.from_bytes(other_entry(11)), **fields).to_bytes()
    return entry


def _liveness() -> Iterator[Vector]:
    """What no rule forbids, and only a strict verification refuses."""
    _, log = good()
    late = Session(number=4, sequence=3)
    begun = log.copy().add(late.opened_entry())
    backdated = begun.copy().add(late.closed_entry(), time=TOO_LATE)
    yield Vector("closed-late", OK, log=backdated.files())
    yield Vector("closed-late-strict", 14, log=backdated.files(), strict=True)
    in_time = begun.copy().add(late.closed_entry(), time=shift_time(TOO_LATE, -1))
    yield Vector("closed-at-the-last-moment", OK, log=in_time.files(), strict=True)
    yield Vector("log-stopped", OK, log=begun.files(), now=TOO_LATE)
    yield Vector("log-stopped-strict", 14, log=begun.files(), now=TOO_LATE, strict=True)
    yield Vector("log-still-young", OK, log=begun.files(), now=shift_time(TOO_LATE, -1), strict=True)
    yield Vector("log-from-the-future-strict", 14, log=GOOD, now=at(90_000), strict=True)
