"""The honest world of the vectors: the session that most are about, the log around it, and what a vector is."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lucid.model.bundle import Bundle
from lucid.model.manifest import WrappedKey
from tests.vectors import build
from tests.vectors.build import Files, Log, Session, other_entry, prove, seal_all

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
    now: str | None = None
    strict: bool = False
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
