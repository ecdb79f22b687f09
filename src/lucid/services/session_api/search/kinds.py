"""What can be searched: the collections of the index, and the documents that stand for what the stores hold.

`shown` in a document is what a hit shows; `text` are the words that it is found by; the other fields filter and sort.
"""

from typing import Any

from lucid.model.host import Host
from lucid.model.kept import Kept
from lucid.model.session import Session
from lucid.ports.access import Account, AuditEvent
from lucid.ports.recording import TypedText
from lucid.ports.search import Collection, Indexed, SearchKind
from lucid.services.session_api.views import view_of

COLLECTIONS: dict[SearchKind, Collection] = {
    "sessions": Collection(
        name="sessions",
        fields={
            "text": "text",
            "user": "keyword",
            "host": "keyword",
            "state": "keyword",
            "end": "keyword",
            "held": "keyword",
            "deleted": "keyword",
            "opened": "time",
            "closed": "time",
            "recorded_bytes": "number",
            "stored_bytes": "number",
        },
    ),
    "typed": Collection(
        name="typed",
        fields={"text": "text", "user": "keyword", "host": "keyword", "session": "keyword", "opened": "time"},
    ),
    "hosts": Collection(
        name="hosts",
        fields={"text": "text", "host": "keyword", "pool": "keyword", "admits": "keyword", "added": "time"},
    ),
    "accounts": Collection(
        name="accounts",
        fields={"text": "text", "user": "keyword", "role": "keyword", "locked": "keyword", "created": "time"},
    ),
    "audit": Collection(
        name="audit",
        fields={
            "text": "text",
            "user": "keyword",
            "act": "keyword",
            "outcome": "keyword",
            "accountable": "keyword",
            "session": "keyword",
            "host": "keyword",
            "time": "time",
        },
    ),
}
HIDDEN = frozenset({"admits"})
"""Fields for the service alone."""
NEWEST_FIRST: dict[SearchKind, str] = {
    "sessions": "-opened",
    "typed": "-opened",
    "hosts": "host",
    "accounts": "user",
    "audit": "-time",
}
"""How each kind is sorted unless something else is asked for."""


def session_document(session: Session, kept: Kept) -> Indexed:
    """A session, its words being its people, places, and how it ended."""
    shown = view_of(session, kept).model_dump(mode="json")
    end = session.end
    body = {
        "text": [session.user, session.host, session.id, *((end.reason.value, end.detail) if end else ())],
        "end": end.reason.value if end else None,
        "held": kept.hold is not None,
        "deleted": kept.deletion is not None,
        **{name: shown[name] for name in ("user", "host", "state", "opened", "closed")},
        **{name: shown[name] for name in ("recorded_bytes", "stored_bytes")},
        "shown": shown,
    }
    return Indexed(id=session.id, body=body)


def typed_document(typed: TypedText) -> Indexed:
    """What was typed in a part of a session, its words being those that were typed."""
    shown = typed.model_dump(mode="json")
    body = {name: shown[name] for name in ("user", "host", "session", "opened")}
    return Indexed(id=typed.id, body={**body, "text": [line.text for line in typed.lines], "shown": shown})


def host_document(host: Host) -> Indexed:
    """A host; where it is and who else may connect is not shown, and not searched."""
    shown = {
        "name": host.name,
        "pool": host.pool,
        "approval": host.access.approval,
        "second_factor": host.access.second_factor,
        "added": host.added,
    }
    admits = [*(f"user:{user}" for user in host.access.users), *(f"role:{role}" for role in host.access.roles)]
    text = [host.name, *([host.pool] if host.pool else [])]
    body: dict[str, Any] = {"text": text, "host": host.name, "pool": host.pool, "admits": admits, "added": host.added}
    return Indexed(id=host.name, body={**body, "shown": shown})


def account_document(account: Account) -> Indexed:
    """An account."""
    shown = account.model_dump(mode="json")
    body = {"text": [account.name, account.role], "user": account.name, "role": account.role}
    return Indexed(id=account.name, body={**body, "locked": account.locked, "created": account.created, "shown": shown})


def audit_document(event: AuditEvent) -> Indexed:
    """An act, its words being who did what to what, from where."""
    body = {
        "text": [event.actor, event.act, *event.subject.values(), event.address],
        "user": event.actor,
        "act": event.act,
        "outcome": event.outcome.value,
        "accountable": event.accountable,
        "session": event.subject.get("session"),
        "host": event.subject.get("host"),
        "time": event.time,
        "shown": event.model_dump(mode="json"),
    }
    return Indexed(id=event.id, body=body)
