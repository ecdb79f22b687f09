"""Settings of blockchain-engine."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings


class BlockchainEngineSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_BLOCKCHAIN_ENGINE_")

    log_key: Secret = Field(
        description="the log's signer key (skey): PRIVATE+KEY+name+id+base64; its name is the log's origin"
    )
    slot_ms: int = Field(default=1000, ge=1, le=60_000, description="least time between two blocks, milliseconds")
    slot_entries: int = Field(default=16_384, ge=1, description="entries in one block at most")
    slot_bytes: int = Field(default=16 * 1024 * 1024, ge=65_535, description="bytes of entries in one block at most")
    max_pending: int = Field(default=65_536, ge=1, description="entries waiting for a block at most")
    max_pending_bytes: int = Field(default=64 * 1024 * 1024, ge=65_535, description="bytes of waiting entries at most")
    recent_entries: int = Field(
        default=8192, ge=1, description="entries among which a repetition is recognised and gets the same index"
    )
    ahead_s: int = Field(
        default=86_400,
        ge=300,
        description="seconds by which an entry may be dated later than now or the newest block; blocks follow it",
    )
    store_timeout_s: float = Field(default=30, gt=0, description="seconds to wait for block-manager at the start")
