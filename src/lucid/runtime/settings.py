"""Settings of the runtime itself, shared by all services."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.secret import Secret
from lucid.base.settings import Settings
from lucid.runtime.paths import default_data_dir


class RuntimeSettings(Settings):
    """Read from `LUCID_…`; the command line's options override them."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="LUCID_")

    data_dir: Path = Field(default_factory=default_data_dir, description="folder of all data and keys")
    http_host: str = Field(default="127.0.0.1", description="address that the services' HTTP ports listen on")
    http_port: int | None = Field(
        default=None,
        ge=0,
        le=65_535,
        description="HTTP port of `lucid serve`; empty: the service's own; 0: any free one, with `lucid up` too",
    )
    mongodb_uri: Secret = Field(default=Secret(""), description="MongoDB; empty: SQLite in the data folder")
    mongodb_database: str = Field(default="lucid", description="MongoDB database")
    redis_url: Secret = Field(default=Secret(""), description="Redis; empty: Valkey as a child process")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    stop_s: float = Field(default=4.0, gt=0, description="seconds that a clean shutdown may take")
