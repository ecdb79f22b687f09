"""Settings of rdp-server-manager."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings


class RdpServerManagerSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_RDP_SERVER_MANAGER_")

    host_seal_key: Secret = Field(description="AES-256 key of the stored credentials: 64 hex digits")
    retry_s: float = Field(default=2.0, gt=0, description="time between attempts to finish interrupted changes")
