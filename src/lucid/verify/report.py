"""What a verification found: the outcome of every step, and whether they hold together."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lucid.model.manifest import Manifest

Outcome = Literal["ok", "failed", "skipped"]


class StepFailed(Exception):
    """What a step checks does not hold. `detail` is one line for a person."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step of docs/format.md section 9. `seconds`: how long it took, 0 when skipped. `warnings`: what no rule
    forbids, but a person should look at."""

    number: int
    name: str
    outcome: Outcome
    detail: str
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"step {self.number} {self.name}: {self.detail}"


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What the bundle claims of its session; true when the report says verified."""

    session: str
    user: str
    host: str
    policy: str
    recorder: str
    sequence: int
    opened: str
    closed: str
    end: str
    duration_us: int
    frames: int
    chunks: int
    recorded_bytes: int
    stored_bytes: int

    @classmethod
    def of(cls, manifest: Manifest) -> "SessionSummary":
        return cls(
            session=manifest.session,
            user=manifest.user,
            host=manifest.host,
            policy=manifest.policy,
            recorder=manifest.recorder.id,
            sequence=manifest.recorder.sequence,
            opened=manifest.opened,
            closed=manifest.closed,
            end=manifest.end.reason.value,
            duration_us=manifest.duration_us,
            frames=manifest.frames,
            chunks=manifest.chunks.count,
            recorded_bytes=manifest.bytes.recorded,
            stored_bytes=manifest.bytes.stored,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """All steps in order. `session` is None when a log was verified without a bundle."""

    steps: tuple[StepResult, ...]
    session: SessionSummary | None = None

    @property
    def failure(self) -> StepResult | None:
        """The first step that failed; those after it were not run."""
        return next((step for step in self.steps if step.outcome == "failed"), None)

    @property
    def verified(self) -> bool:
        """No step failed, and at least one held."""
        return self.failure is None and any(step.outcome == "ok" for step in self.steps)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of all steps."""
        return tuple(warning for step in self.steps for warning in step.warnings)

    def to_json(self) -> dict[str, Any]:
        """For scripts: `verified`, the number of the failed step or null, the steps, the session."""
        return {
            "verified": self.verified,
            "failed_step": self.failure.number if self.failure else None,
            "steps": [asdict(step) for step in self.steps],
            "session": asdict(self.session) if self.session else None,
        }
