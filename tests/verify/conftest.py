"""The good session of the vectors, in memory, for tests that alter it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lucid.base.secret import Secret
from lucid.crypto.note import VerifierKey
from lucid.verify import Report, verify_bundle, verify_log
from tests.vectors import build, world


@dataclass
class MemoryChunks:
    """A recording in memory."""

    files: build.Files

    def names(self) -> Iterator[str]:
        return iter(self.files)

    def size(self, name: str) -> int | None:
        return len(self.files[name]) if name in self.files else None

    def read(self, name: str, limit: int) -> bytes | None:
        return self.files[name][:limit] if name in self.files else None


@dataclass
class MemoryLog:
    """A log in memory."""

    files: build.Files

    def read(self, path: str, limit: int) -> bytes | None:
        return self.files[path][: limit + 1] if path in self.files else None

    def widths(self, path: str) -> list[int]:
        return sorted(int(name.removeprefix(f"{path}/")) for name in self.files if name.startswith(f"{path}/"))


@dataclass
class Given:
    """All inputs of a verification; tests replace parts."""

    bundle: bytes
    chunks: build.Files
    log: build.Files
    checkpoint: str | None = None
    key: VerifierKey = build.LOG_KEY.verifier
    identity: Secret = field(default_factory=lambda: Secret(world.KEYS["owner"]["identity"]))

    def verify(self, *, with_log: bool = True) -> Report:
        return verify_bundle(
            self.bundle,
            self.key,
            recording=MemoryChunks(self.chunks),
            identity=self.identity,
            log=MemoryLog(self.log) if with_log else None,
            checkpoint=self.checkpoint,
        )

    def verify_log(self) -> Report:
        return verify_log(MemoryLog(self.log), self.key, self.checkpoint)


@pytest.fixture
def given() -> Given:
    """The good session: everything about it holds."""
    subject, log = world.good()
    return Given(build.prove(subject, log).to_bytes(), build.recording(subject.chunks), log.files())
