"""What is verified: the inputs, and what the steps so far have established."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import Secret
from lucid.crypto.note import VerifierKey, open_note, split_note
from lucid.crypto.proof import TlogProof
from lucid.model.bundle import Bundle
from lucid.model.manifest import WrappedKey
from lucid.model.tlog import Block, Checkpoint
from lucid.verify.report import StepFailed
from lucid.verify.sequence import SequenceRules
from lucid.verify.sources import ChunkSource, LogSource

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done, and how much there is."""


def silent(step: str, done: int, total: int) -> None:
    """A progress that nobody watches."""


@dataclass(kw_only=True)
class LogCase:
    """A copy of the log to verify. `checkpoint` is one (a signed note) that somebody kept, `now` a time to judge
    the log by. With `strict` a step that warns fails."""

    key: VerifierKey
    log: LogSource | None = None
    checkpoint: str | None = None
    now: str | None = None
    strict: bool = False
    progress: Progress = silent

    warnings: list[str] = field(default_factory=list)
    """Those of the step that runs."""

    bundle_head: Checkpoint | None = None
    """The bundle's checkpoint, from step 1; None without a bundle."""
    bundle_block: Block | None = None
    """The bundle's block, from step 7; None without a bundle."""
    log_head: Checkpoint | None = None
    """The log folder's checkpoint, from step 12."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """Roots of the log at those of the sizes that other steps ask for at which a block ends, from step 12."""
    newest_block_time: str = ""
    """From step 12."""
    sequence: SequenceRules = field(default_factory=SequenceRules)
    """Fed in step 12 with every entry, asked in step 14."""


@dataclass(kw_only=True)
class BundleCase(LogCase):
    """A proof bundle to verify, with whatever else is at hand."""

    bundle: Bundle
    recording: ChunkSource | None = None
    identity: Secret | None = None
    shares: tuple[WrappedKey, ...] = ()

    opening_proof: TlogProof = field(init=False)
    closing_proof: TlogProof = field(init=False)
    opening_entry: bytes = field(init=False)
    closing_entry: bytes = field(init=False)


@contextmanager
def part(what: str) -> Iterator[None]:
    """A part of a bundle, recording or log that does not parse or open was forged or damaged: the step fails."""
    try:
        yield
    except (InvalidInput, Corrupted) as error:
        raise StepFailed(f"{what}: {error.detail}") from None


def require(holds: bool, detail: str) -> None:
    """Fail the step with `detail` unless the condition holds."""
    if not holds:
        raise StepFailed(detail)


def read_checkpoint(note: str) -> Checkpoint:
    """The checkpoint in a note whose signatures are not looked at. Raises InvalidInput for any other text."""
    return Checkpoint.from_text(split_note(note)[0])


def signed_checkpoint(note: str, key: VerifierKey, what: str) -> Checkpoint:
    """The checkpoint in a note, signed by `key` for the log that the key names. Fails the step otherwise."""
    with part(what):
        head = Checkpoint.from_text(open_note(note, key))
    require(head.origin == key.name, f"{what}: it is of the log {head.origin!r}, the key of {key.name!r}")
    return head
