"""Work credits follow from the log by the formula of docs/credits.md, number by number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import Corrupted, InvalidInput
from lucid.nodes.credits import NodeCredits, compute
from lucid.nodes.facts import Work
from lucid.nodes.month import bounds
from tests.nodes.node_log import NodeLog, at

MONTH = "2026-11"
ALL = "1" * 60
GOOD = Work(duration_us=90_000_000, recorded_bytes=3 * (1 << 20) + 1, end="client-closed")


def of(log: NodeLog, node: str = "local", month: str = MONTH) -> NodeCredits:
    (found,) = [found for found in compute(month, log.facts(), own_node="local") if found.node == node]
    return found


@pytest.fixture
def log() -> NodeLog:
    made = NodeLog()
    made.register("local", at(1))
    return made


def test_a_session_earns_by_minutes_and_mebibytes_begun(log: NodeLog) -> None:
    log.open("r1", 1, at(2), at(3))
    log.close("r1", 1, at(2, 1), GOOD)
    found = of(log)
    assert (found.sessions, found.session_minutes, found.recorded_mib) == (1, 2, 4)
    assert found.session_credits == 10 * 2 + 4


def test_a_session_that_failed_on_the_node_earns_nothing(log: NodeLog) -> None:
    for sequence, end in enumerate(("recorder-failed", "store-corrupted", "interrupted"), 1):
        log.close("r1", sequence, at(2), GOOD.model_copy(update={"end": end}))
    log.close("r1", 4, at(2), None)
    found = of(log)
    assert (found.sessions, found.failed_sessions, found.session_credits) == (4, 2, 24)


def test_work_is_the_node_s_whose_recorder_did_it(log: NodeLog) -> None:
    log.register("pi", at(1, 1), "r2", "r3")
    log.register("late", at(1, 2), "r2")  # claimed before: stays the first one's
    for sequence, recorder in enumerate(("r1", "r2", "r3", "r3"), 1):
        log.close(recorder, sequence, at(2), GOOD)
    assert [of(log, node).sessions for node in ("local", "pi", "late")] == [1, 3, 0]


def test_minutes_heard_and_due(log: NodeLog) -> None:
    for hour in range(10):
        log.hear("local", at(1, hour), ALL if hour else "1" * 30 + "0" * 30)
    log.hear("local", at(1, 3), "0" * 60)  # said again: the first counts
    found = of(log)
    assert (found.heard_minutes, found.due_minutes, found.availability_credits) == (570, 600, 570)
    assert found.until == at(1, 10)
    assert found.eligible  # 95 % to the minute


def test_one_minute_less_is_not_enough(log: NodeLog) -> None:
    for hour in range(10):
        log.hear("local", at(1, hour), ALL if hour else "1" * 29 + "0" * 31)
    found = of(log)
    assert not found.eligible
    assert found.reasons == ("heard in 569 of 600 minutes, at least 95 % are needed",)


def test_maintenance_is_neither_due_nor_paid(log: NodeLog) -> None:
    log.state("local", at(1, 2), "maintenance")
    log.state("local", at(1, 2, 30), "maintenance")
    log.state("local", at(1, 4), "active")
    for hour in (0, 1, 4, 5):
        log.hear("local", at(1, hour), ALL, at(1, 6))
    found = of(log)
    assert (found.heard_minutes, found.due_minutes, found.eligible) == (240, 240, True)


def test_a_node_that_was_removed_and_came_back(log: NodeLog) -> None:
    log.register("pi", at(1), "r2")
    log.remove("pi", at(1, 1))
    log.register("pi", at(1, 3), "r2")
    log.hear("local", at(1, 3), ALL, at(1, 4))
    log.hear("pi", at(1, 3), ALL, at(1, 4))
    assert (of(log, "pi").due_minutes, of(log, "pi").eligible) == (120, False)


def test_a_session_that_was_never_closed_costs_the_eligibility(log: NodeLog) -> None:
    for hour in range(10):
        log.hear("local", at(1, hour), ALL, at(1, 11))
    log.open("r1", 1, at(1), at(1, 5))
    log.open("r1", 2, at(1), at(20))  # not due yet
    found = of(log)
    assert (found.overdue_sessions, found.eligible) == (1, False)
    log.close("r1", 1, at(1, 11), GOOD)
    assert of(log).eligible


def test_only_the_month_counts(log: NodeLog) -> None:
    log.close("r1", 1, at(30, 23, 59, month=10), GOOD)
    log.close("r1", 2, at(1, month=11), GOOD)
    log.close("r1", 3, at(1, month=12), GOOD)
    log.hear("local", at(30, 23), ALL, at(1, 0, 2, month=12))  # the last hour, said when the month was over
    log.hear("local", at(30, 22), ALL, at(2, month=12))  # too late
    found = of(log)
    assert found.sessions == 1
    assert found.heard_minutes == 60
    assert found.until == at(1, month=12)


def test_a_body_that_is_not_the_one_in_the_log(log: NodeLog) -> None:
    forged = log.facts()
    forged[0] = forged[0].model_copy(update={"body": forged[0].body.replace("local", "other")})
    with pytest.raises(Corrupted, match="entry 0: its body is another"):
        compute(MONTH, forged, own_node="local")


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-1", "1999-01", "2026-11-01", "\uff12026-11"])
def test_what_is_no_month(month: str) -> None:
    with pytest.raises(InvalidInput, match="month: expected one like 2026-11"):
        bounds(month)


@given(st.integers(2000, 2099), st.integers(1, 12))
def test_months_follow_each_other(year: int, number: int) -> None:
    start, end = bounds(f"{year}-{number:02d}")
    assert start < end
    if end < "2100":
        assert bounds(end[:7])[0] == end
