"""The offline verifier: docs/format.md section 9, a list of steps."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.crypto.note import VerifierKey
from lucid.model.bundle import Bundle
from lucid.model.kept import Shares
from lucid.verify import anchoring, log, recording
from lucid.verify.case import BundleCase, LogCase, Progress, read_checkpoint, silent
from lucid.verify.report import Outcome, Report, SessionSummary, StepFailed, StepResult
from lucid.verify.sources import ChunkSource, LogSource

C = TypeVar("C", bound=LogCase, contravariant=True)


@dataclass(frozen=True)
class Step(Generic[C]):
    """A numbered check. It returns what it found in one line or raises StepFailed; it is skipped unless the
    case has all that it `needs`: attributes of the case and options of the command, under one name."""

    number: int
    name: str
    check: Callable[[C], str]
    needs: tuple[str, ...] = ()


LOG_STEPS: tuple[Step[LogCase], ...] = (
    # The copy of the log is whole, signed, and grew out of every checkpoint seen before.
    Step(12, "log", log.rebuild, needs=("log",)),
    Step(13, "consistency", log.consistency, needs=("checkpoint",)),
    # No session is missing from it.
    Step(14, "sequence", log.sequence, needs=("log",)),
)

BUNDLE_STEPS: tuple[Step[BundleCase], ...] = (
    # The log says that the session was opened, and how it ended.
    Step(1, "checkpoint", anchoring.checkpoint),
    Step(2, "opening-inclusion", anchoring.opening_inclusion),
    Step(3, "closing-inclusion", anchoring.closing_inclusion),
    Step(4, "opening", anchoring.opening),
    Step(5, "manifest", anchoring.manifest),
    Step(6, "agreement", anchoring.agreement),
    Step(7, "block", anchoring.block),
    # The recording is what the manifest lists, complete and in order.
    Step(8, "chunk-list", recording.chunk_list),
    Step(9, "chunk-files", recording.chunk_files, needs=("recording",)),
    Step(10, "chunk-headers", recording.chunk_headers, needs=("recording",)),
    Step(11, "decryption", recording.decryption, needs=("recording", "identity")),
    *LOG_STEPS,
)


def verify_bundle(
    bundle_bytes: bytes,
    key: VerifierKey,
    *,
    recording: ChunkSource | None = None,
    identity: Secret | None = None,
    shares: bytes | None = None,
    log: LogSource | None = None,
    checkpoint: str | None = None,
    now: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Verify one session. `checkpoint` is a signed note that somebody kept; with `recording`, `identity`, `log`
    and `checkpoint` more steps run. `shares` are keys of recipients that were added later. `now`: a time to judge the
    log by; `strict`: a step that warns fails. Raises InvalidInput for what is no bundle, identity, checkpoint or file
    of shares at all, and for shares of another session."""
    bundle = Bundle.from_bytes(bundle_bytes)
    if identity is not None:
        age.recipient_of(identity)
    shared = Shares.from_bytes(shares) if shares is not None else None
    if shared is not None and shared.session != bundle.manifest.session:
        raise InvalidInput(f"shares: they are of session {shared.session}")
    if checkpoint is not None:
        read_checkpoint(checkpoint)
    case = BundleCase(
        key=key,
        bundle=bundle,
        recording=recording,
        identity=identity,
        shares=shared.keys if shared is not None else (),
        log=log,
        checkpoint=checkpoint,
        now=now,
        strict=strict,
        progress=progress or silent,
    )
    return Report(_run(BUNDLE_STEPS, case), SessionSummary.of(bundle.manifest))


def verify_log(
    log: LogSource,
    key: VerifierKey,
    checkpoint: str | None = None,
    *,
    now: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Verify a whole copy of a log without any bundle: steps 12 to 14. Raises InvalidInput as verify_bundle."""
    if checkpoint is not None:
        read_checkpoint(checkpoint)
    case = LogCase(key=key, log=log, checkpoint=checkpoint, now=now, strict=strict, progress=progress or silent)
    return Report(_run(LOG_STEPS, case))


def _run(steps: Sequence[Step[C]], case: C) -> tuple[StepResult, ...]:
    """Run the steps in order; after the first failure none is run any more."""
    results: list[StepResult] = []
    failed: Step[C] | None = None
    for step in steps:
        missing = " and ".join(f"--{name}" for name in step.needs if getattr(case, name) is None)
        outcome: Outcome
        begun = time.perf_counter()
        if failed is not None:
            outcome, detail = "skipped", f"step {failed.number} failed"
        elif missing:
            outcome, detail = "skipped", f"needs {missing}"
        else:
            try:
                outcome, detail = "ok", step.check(case)
                if case.strict and case.warnings:
                    raise StepFailed(f"{case.warnings[0]} (the first of {len(case.warnings)} warnings)")
            except StepFailed as failure:
                failed = step
                outcome, detail = "failed", failure.detail
        seconds = 0.0 if outcome == "skipped" else time.perf_counter() - begun
        results.append(StepResult(step.number, step.name, outcome, detail, seconds, tuple(case.warnings)))
        case.warnings.clear()
    return tuple(results)
