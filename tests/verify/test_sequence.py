"""The rules of section 5 on made-up logs: recorders that behave, and one that loses a session."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lucid.verify.sequence import RuleBroken, SequenceRules
from tests.vectors.build import Session, at, other_entry


def broken(entries: list[bytes], newest_block: str) -> str | None:
    rules = SequenceRules()
    for index, entry in enumerate(entries):
        rules.add(index, entry, at(10_000))
    try:
        rules.finish(newest_block)
    except RuleBroken as error:
        return error.detail
    return None


@st.composite
def honest(draw: Any) -> list[tuple[Session, str, bytes]]:
    """The entries of a few recorders' sessions, mixed as the log may receive them."""
    waiting: list[tuple[Session, str, bytes]] = []
    entries: list[tuple[Session, str, bytes]] = []
    numbers = dict.fromkeys(("rec-a", "rec-b", "rec-c"), 0)
    for number in range(draw(st.integers(1, 12))):
        recorder = draw(st.sampled_from(sorted(numbers)))
        numbers[recorder] += 1
        session = Session(number=number, recorder=recorder, sequence=numbers[recorder])
        entries.append((session, "opening", session.opened_entry()))
        waiting.append((session, "closing", session.closed_entry()))
        while waiting and draw(st.booleans()):
            entries.append(waiting.pop(draw(st.integers(0, len(waiting) - 1))))
    return entries + waiting


@given(honest(), st.data())
def test_honest_recorders_break_no_rule(entries: list[tuple[Session, str, bytes]], data: st.DataObject) -> None:
    written = [entry for _, _, entry in entries]
    for _ in range(data.draw(st.integers(0, 3))):
        again = data.draw(st.integers(0, len(written) - 1))
        written.insert(data.draw(st.integers(again + 1, len(written))), written[again])
    assert broken(written, at(10_000_000)) is None


@given(honest(), st.data())
def test_any_entry_that_is_left_out_is_missed(entries: list[tuple[Session, str, bytes]], data: st.DataObject) -> None:
    """An opening leaves a gap or a closing without opening, a closing an opening that is never closed."""
    del entries[data.draw(st.integers(0, len(entries) - 1))]
    assert broken([entry for _, _, entry in entries], at(10_000_000)) is not None


@given(honest(), st.data())
def test_a_whole_session_left_out_is_missed_once_its_recorder_goes_on(
    entries: list[tuple[Session, str, bytes]], data: st.DataObject
) -> None:
    session = data.draw(st.sampled_from([session for session, _, _ in entries]))
    goes_on = any(other.recorder == session.recorder and other.sequence > session.sequence for other, _, _ in entries)
    rest = [entry for other, _, entry in entries if other.number != session.number]
    assert (broken(rest, at(10_000_000)) is not None) == goes_on


def test_an_open_session_is_allowed_until_a_day_after_it_is_due() -> None:
    session = Session(number=0)
    due = 28_800 + 900 + 86_400
    assert broken([session.opened_entry()], at(due)) is None
    assert "has no closing" in (broken([session.opened_entry()], at(due + 1)) or "")


def test_warnings_are_counted_beyond_a_hundred() -> None:
    rules = SequenceRules()
    for number in range(150):
        session = Session(number=number, sequence=number + 1)
        rules.add(2 * number, session.opened_entry(), at(100 * number))
        rules.add(2 * number + 1, session.closed_entry(), at(10_000_000))
    warnings = rules.finish(at(10_000_000))
    assert (rules.late, len(warnings), warnings[-1]) == (150, 101, "50 more warnings")


def test_only_the_first_broken_rule_is_told() -> None:
    entries = [other_entry(1), Session(number=1, sequence=2).opened_entry(), b"no entry"]
    assert broken(entries, at(0)) == "entry 1: rec-one opens its number 2, 1 is missing"
