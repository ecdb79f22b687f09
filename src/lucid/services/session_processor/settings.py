"""Settings of session-processor."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings


class SessionProcessorSettings(Settings):
    """How chunks are made."""

    model_config = SettingsConfigDict(env_prefix="LUCID_SESSION_PROCESSOR_")

    platform_identity: Secret = Field(description="age identity that opens the data keys of open sessions")
    zstd_level: int = Field(default=2, ge=1, le=19, description="zstd level: higher is smaller and slower")
    jobs: int = Field(
        default=0, ge=0, le=64, description="sealings at the same time; 0: one for each CPU core that it may use"
    )
    read_ahead: int = Field(
        default=4, ge=0, le=16, description="segments of a session compressed while the one before them is stored"
    )
