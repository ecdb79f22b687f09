"""Settings of rdp-server-manager."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings
from lucid.ports.desktops import MAX_DESKTOPS


class RdpServerManagerSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_RDP_SERVER_MANAGER_")

    host_seal_key: Secret = Field(description="AES-256 key of the stored credentials: 64 hex digits")
    retry_s: float = Field(default=2.0, gt=0, description="time between attempts to finish interrupted changes")
    desktops_per_owner: int = Field(
        default=3, ge=0, le=MAX_DESKTOPS, description="built-in desktops that a person may have, unless set otherwise"
    )
    reconcile_s: float = Field(
        default=30.0, gt=0, description="time between checks that desktops and the built-in host agree"
    )
    assignment_s: float = Field(
        default=120.0, ge=0, description="how long an assigned host counts as loaded before its session begins"
    )
