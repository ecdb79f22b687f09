"""Settings of session-recorder."""

from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings

Recipient = Annotated[str, StringConstraints(pattern=r"^age1[0-9a-z]+$")]


class SessionRecorderSettings(Settings):
    """What the recorder keeps, for whom, and within which limits."""

    model_config = SettingsConfigDict(env_prefix="LUCID_SESSION_RECORDER_")

    recorder: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9._-]{0,62})?$",
        description="name of this recorder in the log; empty: made at the first start and kept",
    )
    platform_identity: Secret = Field(description="age identity to which the data keys of open sessions are wrapped")
    recipients: tuple[Recipient, ...] = Field(
        min_length=1, description="age recipients who can open every recording: the owner, auditors"
    )
    playback_recipient: str = Field(
        default="",
        pattern=r"^(age1[0-9a-z]+)?$",
        description="age recipient of the platform's player, for policies that allow playback",
    )
    segment_bytes: int = Field(
        default=8 * 1024 * 1024, ge=64 * 1024, le=32 * 1024 * 1024, description="frames after which a segment closes"
    )
    segment_s: float = Field(default=10.0, gt=0, le=60, description="age at which a segment closes")
    durable_limit_s: float = Field(
        default=1.0, gt=0, le=10, description="frames that take longer to reach the disk end the recording"
    )
    silence_limit_s: float = Field(
        default=60.0, gt=0, description="a recording of which nothing is heard for so long ends: its gateway is gone"
    )
    journal_limit_bytes: int = Field(
        default=4 * 1024**3, ge=1024 * 1024, description="journals of all sessions together; beyond, recordings end"
    )
