"""Settings of service-mesh."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.settings import Settings


class ServiceMeshSettings(Settings):
    """One agent of one data centre."""

    model_config = SettingsConfigDict(env_prefix="LUCID_SERVICE_MESH_")

    mesh_token: Secret = Field(description="token that every request has to show")
    datacenter: Name = Field(default="dc1", description="name of the data centre in answers")
    node_name: Name = Field(default="lucid", description="name of the one node in answers")
    node_address: str = Field(default="127.0.0.1", description="address of the one node in answers")
    max_wait_s: float = Field(default=600.0, gt=0, description="seconds that a blocking query waits at most")
    default_wait_s: float = Field(default=300.0, gt=0, description="seconds that it waits where it does not say")
    max_waiters: int = Field(default=4096, ge=1, description="blocking queries at the same time")
    max_value_bytes: int = Field(default=512 * 1024, ge=1, description="size of a value")
    max_store_bytes: int = Field(default=64 * 1024 * 1024, ge=1, description="size of all values together")
    max_sessions: int = Field(default=10_000, ge=1, description="sessions at the same time")
    max_keys: int = Field(default=10_000, ge=1, description="keys in the store")
    max_instances: int = Field(default=2048, ge=1, description="registered instances and checks")
    sweep_s: float = Field(default=0.5, gt=0, description="seconds between looks for what has expired")
