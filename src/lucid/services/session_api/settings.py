"""Settings of session-api."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings


class SessionApiSettings(Settings):
    """What may be deleted when, and how patient the service is."""

    model_config = SettingsConfigDict(env_prefix="LUCID_SESSION_API_")

    owner_identity: Secret = Field(
        default=Secret(""), description="opens recordings to share them; empty: who shares has to wrap the key"
    )
    min_retention_s: float = Field(default=0.0, ge=0, description="least age of a recording that may be deleted")
    retention_s: float = Field(default=0.0, ge=0, description="age at which recordings are deleted; 0: never")
    retention_check_s: float = Field(default=3600.0, gt=0, description="time between looks for recordings that old")
    delete_wait_s: float = Field(default=10.0, gt=0, description="how long a request waits for a deletion's end")
    ticket_ttl_s: int = Field(default=120, ge=5, le=3600, description="within that time a connection has to begin")
    proof_wait_s: float = Field(default=10.0, gt=0, le=60, description="longest wait for a proof bundle")
    heartbeat_s: float = Field(default=15.0, gt=0, description="longest silence in a stream of events")
    catch_up_s: float = Field(
        default=10.0, gt=0, description="time between comparisons of the newest sessions and acts with the index"
    )
    sweep_s: float = Field(default=86_400.0, gt=0, description="time between comparisons of everything with the index")
