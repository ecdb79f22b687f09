"""A statement can be recomputed by anybody who has the log and its key, and nothing in it can be changed."""

from collections.abc import Callable

import pytest

from lucid.base.errors import Corrupted, LucidError
from lucid.crypto.note import SignerKey
from lucid.nodes.credits import compute
from lucid.nodes.facts import Work
from lucid.nodes.statement import Statement, check
from tests.nodes.node_log import KEY, NodeLog, at

WORK = Work(duration_us=60_000_000, recorded_bytes=1, end="client-closed")


def some_log() -> NodeLog:
    log = NodeLog()
    log.register("local", at(1))
    for sequence in range(1, 300):
        log.open("r1", sequence, at(2), at(3))
        log.close("r1", sequence, at(2, 1), WORK)
        log.say("host.added", at(2, 1), host="office")
    log.hear("local", at(2, 1), "1" * 60, at(2, 2))
    log.close("r1", 999, at(1, month=12), WORK)
    return log


def statement_of(log: NodeLog) -> Statement:
    facts = [fact for fact in log.facts() if "host.added" not in fact.entry and "2026-12-01" not in fact.entry]
    (mine,) = compute("2026-11", facts, own_node="local")
    return Statement(
        node="local", own_node="local", month="2026-11", checkpoint=log.checkpoint, facts=tuple(facts), credits=mine
    )


def test_it_is_checked_against_the_log() -> None:
    log = some_log()
    statement = statement_of(log)
    assert check(statement, log, KEY.verifier).credits == 299 * 11 + 60
    assert Statement.from_bytes(statement.to_bytes()) == statement


def test_a_log_that_grew_since_still_fits() -> None:
    log = some_log()
    statement = statement_of(log)
    log.close("r1", 1000, at(2, month=12), WORK)
    assert check(statement, log, KEY.verifier) == statement.credits


FORGERIES: dict[str, Callable[[Statement], Statement]] = {
    "the log gives": lambda s: s.model_copy(update={"credits": s.credits.model_copy(update={"credits": 10**6})}),
    "stands in the log and not in the statement": lambda s: s.model_copy(update={"facts": s.facts[:5] + s.facts[6:]}),
    "stands in the statement and not in the log": lambda s: s.model_copy(
        update={"facts": (*s.facts, s.facts[-1].model_copy(update={"index": 10**6}))}
    ),
    "the log knows no node": lambda s: s.model_copy(update={"node": "other"}),
    "body is another": lambda s: s.model_copy(
        update={"facts": (s.facts[0].model_copy(update={"body": s.facts[0].body + " "}), *s.facts[1:])}
    ),
}


@pytest.mark.parametrize("said", FORGERIES)
def test_a_forged_statement(said: str) -> None:
    log = some_log()
    with pytest.raises(Corrupted, match=said):
        check(FORGERIES[said](statement_of(log)), log, KEY.verifier)


def test_another_log() -> None:
    log = some_log()
    statement = statement_of(log)
    log.entries[3] = log.say("host.removed", at(2, 1), host="office")
    log.entries.pop()
    with pytest.raises(Corrupted, match="the log is not the one"):
        check(statement, log, KEY.verifier)
    with pytest.raises(LucidError):
        check(statement_of(some_log()), some_log(), SignerKey.generate("log.example").verifier)
