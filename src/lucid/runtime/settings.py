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
    keys_dir: Path | None = Field(
        default=None,
        description="folder of those private keys that this process may use; empty: all keys, made in the data folder",
    )
    public_keys_dir: Path | None = Field(
        default=None, description="folder of the public halves where keys_dir is set; empty: keys_dir"
    )
    http_host: str = Field(default="127.0.0.1", description="address that the services' HTTP ports listen on")
    http_port: int | None = Field(
        default=None,
        ge=0,
        le=65_535,
        description="HTTP port of `lucid serve`; empty: the service's own; 0: any free one; `lucid up` takes 0 alone",
    )
    mongodb_uri: Secret = Field(default=Secret(""), description="MongoDB; empty: SQLite in the data folder")
    mongodb_database: str = Field(default="lucid", description="MongoDB database")
    redis_url: Secret = Field(default=Secret(""), description="Redis; empty: Valkey as a child process")
    elasticsearch_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Elasticsearch; empty: tantivy in the data folder, for one process",
    )
    elasticsearch_api_key: Secret = Field(
        default=Secret(""), description="encoded API key for elasticsearch_url; empty: none is needed"
    )
    elasticsearch_username: str = Field(
        default="", max_length=100, description="user of elasticsearch_url where no API key is given; empty: none"
    )
    elasticsearch_password: Secret = Field(default=Secret(""), description="password of elasticsearch_username")
    elasticsearch_ca: str = Field(
        default="", description="file of the certificate authority of elasticsearch_url; empty: the system's"
    )
    elasticsearch_prefix: str = Field(
        default="lucid",
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="what the names of the search indexes begin with",
    )
    consul_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="HTTP API of a Consul agent, or of service-mesh elsewhere; empty: service-mesh on this machine",
    )
    consul_token: Secret = Field(
        default=Secret(""), description="token for consul_url; empty: the installation's own for service-mesh"
    )
    mesh_ttl_s: float = Field(
        default=9.0, ge=1.0, le=300.0, description="seconds without a sign of life after which a service is left out"
    )
    advertise_address: str = Field(
        default="", description="address by which other services reach this one; empty: http_host, or the host's name"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="`text` for people, `json`: one object a line"
    )
    log_dir: Path | None = Field(
        default=None, description="folder of log files beside standard error, one JSON object a line; empty: none"
    )
    log_file_bytes: int = Field(default=10_000_000, ge=1, description="size at which a log file is begun anew")
    log_files: int = Field(default=5, ge=1, description="older log files that are kept")
    stop_s: float = Field(default=4.0, gt=0, description="seconds that a clean shutdown may take")
