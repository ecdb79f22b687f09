"""Canonical JSON against the reference implementation, and what is refused."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import InvalidInput
from lucid.model.canonical import canonical_json
from lucid.model.entry import LogEntry

ENTRY = LogEntry(
    type="session.closed",
    time="2026-11-22T21:42:00.000000Z",
    actor="admin",
    body="0" * 64,
    session="01930000-0000-7000-8000-000000000001",
    recorder="rec-1",
    sequence=7,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)


def outcome(dump: Any, value: Any) -> bytes | None:
    try:
        return bytes(dump(value))
    except ValueError:
        return None


@given(JSON)
def test_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert outcome(canonical_json, value) == outcome(rfc8785.dumps, value)


@pytest.mark.parametrize("value", [chr(code) for code in (*range(33), 0x22, 0x5C, 0x7F, 0x2028, 0xFFFF, 0x1F600)])
def test_every_escape(value: str) -> None:
    assert canonical_json({value: value}) == rfc8785.dumps({value: value})


@pytest.mark.parametrize("value", ["\ud800", {"\ud800": 1}, 2**53, -(2**53), float("nan")])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)


def test_canonical_bytes_come_back() -> None:
    assert LogEntry.from_bytes(ENTRY.to_bytes()) == ENTRY


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"[" * 100_000,
        b" " + ENTRY.to_bytes(),
        ENTRY.to_bytes() + b"\n",
        ENTRY.to_bytes().replace(b":7", b":7.0"),
        ENTRY.to_bytes().replace(b":7", b':"7"'),
        ENTRY.to_bytes().replace(b":7", b":%d" % 2**53),
        ENTRY.to_bytes().replace(b":7", b":1" + b"0" * 5000),
        ENTRY.to_bytes().replace(b"{", b'{"actor":"other",'),
        ENTRY.to_bytes().replace(b'"sequence"', b'"closes_by":null,"sequence"'),
        ENTRY.to_bytes().replace(b"admin", b"\\u0061dmin"),
    ],
)
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        LogEntry.from_bytes(data)
