"""Verifying what lies on a disk: paths in, a report out."""

from dataclasses import dataclass
from pathlib import Path

from lucid.base.errors import InvalidInput
from lucid.verify.case import Progress
from lucid.verify.report import Report
from lucid.verify.sources import (
    FolderChunks,
    FolderLog,
    read_bundle,
    read_checkpoint_file,
    read_identity,
    read_key,
    read_now,
    read_shares,
)
from lucid.verify.verifier import verify_bundle, verify_log


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The command's arguments. `key` is a vkey or the name of a file that holds one, `now` a time of
    docs/format.md."""

    key: str
    bundle: Path | None = None
    recording: Path | None = None
    identity: Path | None = None
    shares: Path | None = None
    log: Path | None = None
    checkpoint: Path | None = None
    now: str | None = None
    strict: bool = False


def verify_paths(paths: Paths, progress: Progress | None = None) -> Report:
    """Verify a bundle, or without one a log alone. Raises InvalidInput naming what could not be read."""
    key = read_key(paths.key)
    now = read_now(paths.now) if paths.now is not None else None
    log = FolderLog(paths.log) if paths.log else None
    checkpoint = read_checkpoint_file(paths.checkpoint) if paths.checkpoint else None
    if paths.bundle is None:
        if log is None:
            raise InvalidInput("nothing to verify: give a bundle, or a log with --log")
        if paths.recording or paths.identity or paths.shares:
            raise InvalidInput("--recording, --identity and --shares belong to a bundle, and none is given")
        return verify_log(log, key, checkpoint, now=now, strict=paths.strict, progress=progress)
    return verify_bundle(
        read_bundle(paths.bundle),
        key,
        recording=FolderChunks(paths.recording) if paths.recording else None,
        identity=read_identity(paths.identity) if paths.identity else None,
        shares=read_shares(paths.shares) if paths.shares else None,
        log=log,
        checkpoint=checkpoint,
        now=now,
        strict=paths.strict,
        progress=progress,
    )
