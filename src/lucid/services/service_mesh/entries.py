"""Entries of the key-value store, and what operations make of them: without I/O."""

import base64
import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lucid.ports.stores import Json
from lucid.services.service_mesh.errors import bad

MAX_FLAGS = 2**64 - 1


@dataclass(frozen=True)
class Entry:
    """A key with its value. `session` holds its lock; `lock_index` counts how often it was locked."""

    key: str
    value: bytes = b""
    flags: int = 0
    session: str = ""
    lock_index: int = 0
    create_index: int = 0
    modify_index: int = 0

    def body(self) -> Json:
        """For the store of documents, whose numbers have 63 bits: flags may need 64."""
        return {**self.__dict__, "value": base64.b64encode(self.value).decode(), "flags": str(self.flags)}

    @classmethod
    def of(cls, body: Json) -> "Entry":
        return cls(**{**body, "value": base64.b64decode(body["value"]), "flags": int(body["flags"])})


@dataclass(frozen=True)
class Operation:
    """One thing to do with a key; the verbs are those of Consul's transactions. `index` is the one to compare with."""

    verb: str
    key: str = ""
    value: bytes = b""
    flags: int = 0
    index: int = 0
    session: str = ""


class Locks(Protocol):
    """What locking asks of the sessions."""

    def is_live(self, session: str) -> bool: ...

    def is_delayed(self, key: str) -> bool:
        """Whether the key's lock was lost so recently that nobody gets it yet."""
        ...


class Entries:
    """Entries by key, in the order of their keys' bytes, which is that of their code points."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin so."""
        place = bisect.bisect_left(self._order, prefix)
        while place < len(self._order) and self._order[place].startswith(prefix):
            yield self._order[place]
            place += 1

    def below(self, prefix: str) -> list[Entry]:
        return [self._entries[key] for key in self.keys(prefix)]

    def set(self, key: str, entry: Entry | None) -> None:
        """Put an entry, or (None) take it away."""
        known = self._entries.pop(key, None)
        self.bytes += (len(entry.value) if entry else 0) - (len(known.value) if known else 0)
        if entry is not None:
            self._entries[key] = entry
        if known is None and entry is not None:
            bisect.insort(self._order, key)
        elif known is not None and entry is None:
            del self._order[bisect.bisect_left(self._order, key)]


class View:
    """Entries as they are after some operations, which count as one change with one index."""

    def __init__(self, entries: Entries, index: int) -> None:
        self._entries = entries
        self._index = index
        self.changes: dict[str, Entry | None] = {}

    def get(self, key: str) -> Entry | None:
        return self.changes[key] if key in self.changes else self._entries.get(key)

    def below(self, prefix: str) -> list[Entry]:
        found = {entry.key: entry for entry in self._entries.below(prefix)}
        found.update({key: entry for key, entry in self.changes.items() if entry and key.startswith(prefix)})
        return [entry for key, entry in sorted(found.items()) if self.get(key) is not None]

    def set(self, key: str, **changed: Any) -> bool:
        """Change an entry or make one. One that is the same afterwards keeps its index, as in Consul."""
        known = self.get(key)
        made = replace(known or Entry(key, create_index=self._index), **changed)
        if made != known:
            self.changes[key] = replace(made, modify_index=self._index)
        return True

    def delete(self, key: str) -> bool:
        if self.get(key) is not None:
            self.changes[key] = None
        return True


def perform(view: View, asked: Operation, locks: Locks) -> bool:
    """Do it, if its condition holds; False when that does not. Raises Refusal (400)."""
    known = view.get(asked.key)
    index = known.modify_index if known else 0
    written: Mapping[str, Any] = {"value": asked.value, "flags": asked.flags}
    match asked.verb:
        case "set":
            return view.set(asked.key, **written)
        case "cas":  # 0: only if it is not there
            return index == asked.index and view.set(asked.key, **written)
        case "lock":
            return _lock(view, asked, locks, written)
        case "unlock":
            held = known is not None and known.session == _session(asked)
            return held and view.set(asked.key, **written, session="")
        case "get" | "check-index" if known is None:
            return False
        case "get" | "get-tree" | "get-or-empty":
            return True
        case "check-index":
            return index == asked.index
        case "check-session":
            return known is not None and known.session == asked.session
        case "check-not-exists":
            return known is None
        case "delete":
            return view.delete(asked.key)
        case "delete-cas":  # what is gone stays gone
            return asked.index > 0 and index in (0, asked.index) and view.delete(asked.key)
        case "delete-tree":
            return all(view.delete(entry.key) for entry in view.below(asked.key))
        case verb:
            raise bad(f"unknown operation {verb[:40]!r}")


def _lock(view: View, asked: Operation, locks: Locks, written: Mapping[str, Any]) -> bool:
    if not locks.is_live(_session(asked)):
        raise bad(f"invalid session {asked.session[:64]!r}")
    known = view.get(asked.key)
    if known is not None and known.session == asked.session:
        return view.set(asked.key, **written)
    if (known is not None and known.session) or locks.is_delayed(asked.key):
        return False
    count = known.lock_index if known else 0
    return view.set(asked.key, **written, session=asked.session, lock_index=count + 1)


def _session(asked: Operation) -> str:
    if not asked.session:
        raise bad("invalid session ''")
    return asked.session


def cut(key: str, prefix: str, separator: str) -> str:
    """The key up to the first `separator` after the prefix, with it."""
    at = key.find(separator, len(prefix)) if separator else -1
    return key if at < 0 else key[: at + len(separator)]


def checked_key(key: str) -> str:
    """Raises Refusal (400) for an empty key or one that is too long."""
    if not key:
        raise bad("Missing key name")
    if len(key.encode(errors="surrogatepass")) > 512:
        raise bad("the key is over 512 bytes")
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in key):
        raise bad("the key is not UTF-8")
    return key
