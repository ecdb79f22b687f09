"""Settings of block-manager."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class BlockManagerSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_BLOCK_MANAGER_")

    log_key: str = Field(description="the log's verifier key (vkey): name+id+base64")
    cached_tiles: int = Field(default=256, ge=1, description="hash tiles kept in memory, 16 KiB each")
