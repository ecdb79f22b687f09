"""Settings of session-anchoring."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.ids import Name
from lucid.base.settings import Settings


class SessionAnchoringSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_SESSION_ANCHORING_")

    log_key: str = Field(description="the log's verifier key (vkey), to check proofs before they are handed out")
    actor: Name = Field(default="session-pipeline", description="actor named in the entries of sessions")
