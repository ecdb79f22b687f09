"""Settings of session-pipeline."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class SessionPipelineSettings(Settings):
    """How patient the pipeline is."""

    model_config = SettingsConfigDict(env_prefix="LUCID_SESSION_PIPELINE_")

    open_limit_s: float = Field(default=10.0, gt=0, description="an opening that is not in the log by then is refused")
    poll_s: float = Field(default=20.0, gt=0, le=60, description="longest wait for a segment or a proof at once")
    sweep_interval_s: float = Field(
        default=86_400.0, ge=0, description="time between searches for chunks that a crash left behind; 0: never"
    )
    retry_first_s: float = Field(default=0.1, gt=0, description="wait before the first repetition; doubles each time")
    retry_limit_s: float = Field(default=10.0, gt=0, description="longest wait between repetitions")
