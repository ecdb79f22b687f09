"""Hostile input: whatever is changed, the outcome is bad input or a failed step, never another exception."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.model import canonical
from lucid.model.bundle import Bundle
from lucid.model.canonical import CanonicalValue, canonical_json, digest_of
from lucid.model.entry import LogEntry
from lucid.model.kept import Shares
from lucid.model.manifest import WrappedKey
from lucid.nodes.statement import Statement
from tests.vectors import build, world
from tests.verify.conftest import Given

SUBJECT, LOG = world.good()
BUNDLE = build.prove(SUBJECT, LOG)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def whole() -> Given:
    return Given(BUNDLE.to_bytes(), build.recording(SUBJECT.chunks), LOG.files(), LOG.checkpoint())


def rejected(given: Given) -> bool:
    """Verify; any exception but InvalidInput is the test's failure."""
    try:
        return not given.verify().verified
    except InvalidInput:
        return True


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value of a JSON document stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, item in inner for path in paths(item, (*here, key)))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    if not path:
        return value
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


DOCUMENT = json.loads(BUNDLE.to_bytes())
PATHS = paths(DOCUMENT)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), JSON)
def test_any_json_value_of_the_bundle(path: tuple[Any, ...], value: Any) -> None:
    forged = replaced(DOCUMENT, path, value)
    if forged == DOCUMENT:
        return
    given = whole()
    try:
        given.bundle = canonical_json(forged)
    except ValueError:
        return
    assert rejected(given)


@pytest.mark.parametrize("path", [path for path in PATHS if path], ids=lambda path: ".".join(map(str, path)))
def test_each_json_value_a_little_changed(path: tuple[Any, ...]) -> None:
    value: Any = DOCUMENT
    for key in path:
        value = value[key]
    given = whole()
    for forged in near(value):
        given.bundle = canonical_json(replaced(DOCUMENT, path, forged))
        assert rejected(given), forged


def near(value: Any) -> list[Any]:
    """Values of the same type that are easily taken for `value`."""
    if isinstance(value, int):
        return [value + 1, abs(value - 1), -1, 2**53 - 1]
    if isinstance(value, str):
        digit = value[:-1] + ("0" if value[-1:] != "0" else "1")
        return [digit, value + " ", value + "\n", value.upper() + "A", "\u0661" + value[1:], ""[: len(value)] or "x"]
    if isinstance(value, list):
        return [value[:-1], value + value[:1]]
    return [{}, value | {"more": 1}]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_splice_of_bytes_anywhere(data: st.DataObject) -> None:
    given = whole()
    files: dict[str, bytes] = {"bundle": given.bundle, **given.chunks, **given.log}
    name = data.draw(st.sampled_from(sorted(files)))
    good = files[name]
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 300)))
    forged = good[:start] + data.draw(st.binary(max_size=40)) + good[end:]
    if forged == good:
        return
    if name == "bundle":
        given.bundle = forged
    elif name in given.chunks:
        given.chunks[name] = forged
    else:
        given.log[name] = forged
    assert rejected(given)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_any_proof_block_or_checkpoint_text(text: str) -> None:
    given = whole()
    try:
        given.bundle = world.changed(BUNDLE, block=text).to_bytes()
        assert rejected(given)
        given.bundle = world.changed(BUNDLE, closed=world.changed(BUNDLE.closed, proof=text)).to_bytes()
        assert rejected(given)
    except ValueError:  # no JSON text: a lone surrogate
        return
    given = whole()
    given.checkpoint = text
    with pytest.raises(InvalidInput):
        given.verify()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_entry_in_the_log(entry: bytes) -> None:
    """The log's own operator may sign anything."""
    given = whole()
    given.log = LOG.copy().add(entry).files()
    report = given.verify_log()
    assert report.failure is not None
    assert report.failure.number == 14


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["session.opened", "session.closed"]),
    st.sampled_from(["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", build.at(0)]),
    st.none() | st.sampled_from(["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", build.at(1)]),
    st.none() | st.sampled_from([1, 3, 2**53 - 1]),
    st.none() | st.sampled_from([1, 2, 9]),
)
def test_extreme_session_entries(
    type: str, time: str, due: str | None, number: int | None, session: int | None
) -> None:
    entry = LogEntry.model_construct(
        type=type,
        time=time,
        actor="x",
        body="0" * 64,
        closes_by=due,
        recorder="rec-one",
        sequence=number,
        session=None if session is None else build.session_id(session),
    )
    given = whole()
    given.log = LOG.copy().add(entry.to_bytes()).files()
    report = given.verify_log()
    assert report.failure is None or report.failure.number == 14


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_plaintext_of_a_chunk(plain: bytes) -> None:
    """A platform that signs its lies: the chunk is listed and sealed with the right key."""
    chunk = build.seal(SUBJECT.id, 0, bytes(32), plain=plain)
    subject = world.session(chunks=[chunk])
    log = world.log_with(subject)
    given = Given(build.prove(subject, log).to_bytes(), build.recording([chunk]), log.files())
    report = given.verify()
    assert report.failure is not None
    assert report.failure.number == 11


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=50))
def test_any_wrapped_key(head: bytes, tail: bytes) -> None:
    good = base64.b64decode(world.OWNER_KEY.wrapped)
    for file in (head + tail, good[: len(head)] + tail, b"age-encryption.org/v1\n-> X25519 " + head):
        key = WrappedKey(recipient=world.OWNER_KEY.recipient, wrapped=base64.b64encode(file).decode())
        subject = world.session(keys=(key,))
        log = world.log_with(subject)
        given = Given(build.prove(subject, log).to_bytes(), build.recording(subject.chunks), log.files())
        report = given.verify()
        assert report.failure is not None
        assert report.failure.number == 11


def test_a_chunk_that_is_too_short_for_a_header() -> None:
    for data in (b"", b"LUCIDCK1", bytes(115)):
        record = world.changed(SUBJECT.chunks[0].record, digest=digest_of(data), size=len(data))
        chunk = build.Chunk(record, data)
        subject = world.session(chunks=[chunk])
        given = Given(build.prove(subject, world.log_with(subject)).to_bytes(), build.recording([chunk]), LOG.files())
        report = given.verify(with_log=False)
        assert report.failure is not None
        assert report.failure.number == 8


def test_a_chunk_over_the_limit_is_not_read() -> None:
    for field in ("size", "length"):
        record = world.changed(SUBJECT.chunks[0].record, **{field: 64 * 1024 * 1024 + 1})
        subject = world.session(chunks=[build.Chunk(record, b"")])
        given = Given(build.prove(subject, world.log_with(subject)).to_bytes(), {}, {})
        report = given.verify(with_log=False)
        assert report.failure is not None
        assert report.failure.number == 8


def test_an_identity_that_is_none_is_bad_input() -> None:
    given = whole()
    given.identity = Secret("AGE-SECRET-KEY-1NOTHING")
    with pytest.raises(InvalidInput, match=r"^identity: "):
        given.verify()


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (Bundle, {"chunks": [{}] * 1000}),
        (Bundle, {"manifest": {"keys": [{}] * 1000}}),
        (Shares, {"keys": [{}] * 1000}),
        (Statement, {"facts": [{}] * 1000}),
        (Bundle, {f"field-{number}": 0 for number in range(1000)}),
        (Bundle, {"manifest": {f"field-{number}": 0 for number in range(1000)}}),
    ],
)
def test_a_forged_file_costs_no_memory_for_each_of_its_errors(
    kind: type[CanonicalValue], document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle of 3 MB took 9 GB and 44 s when each error was kept."""
    errors = []

    def counted(error: ValueError | RecursionError) -> str:
        errors.append(error.error_count() if isinstance(error, ValidationError) else 1)
        return "counted"

    monkeypatch.setattr(canonical, "first_problem", counted)
    with pytest.raises(InvalidInput, match="counted"):
        kind.from_bytes(canonical_json(document))
    assert errors[0] < 30


def test_deeply_nested_json_is_bad_input() -> None:
    given = whole()
    given.bundle = b"[" * 100_000
    with pytest.raises(InvalidInput):
        given.verify()
