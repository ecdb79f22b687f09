"""Settings of data-chain."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class DataChainSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_DATA_CHAIN_")

    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1, description="largest body that is taken, bytes")
