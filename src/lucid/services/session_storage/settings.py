"""Settings of session-storage."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class SessionStorageSettings(Settings):
    """How much is kept, and how often it is read again."""

    model_config = SettingsConfigDict(env_prefix="LUCID_SESSION_STORAGE_")

    quota_bytes: int = Field(default=0, ge=0, description="most bytes of chunks; 0: as much as the disk holds")
    scrub_interval_s: float = Field(
        default=0.0, ge=0, description="time between readings of all chunks for damage; 0: only on request"
    )
