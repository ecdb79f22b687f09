"""Settings of node-management."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.settings import Settings


class NodeManagementSettings(Settings):
    """Nodes, heartbeats, and the reading of the log."""

    model_config = SettingsConfigDict(env_prefix="LUCID_NODE_MANAGEMENT_")

    own_node: Name = Field(default="local", description="name of this installation's own node")
    node_key: Secret = Field(description="signs the heartbeats of the own node")
    heartbeat_s: float = Field(default=30.0, ge=1, le=60, description="seconds between heartbeats of the own node")
    max_skew_s: float = Field(
        default=300.0, ge=1, le=3600, description="seconds that a heartbeat's time may differ from ours"
    )
    read_log_s: float = Field(default=10.0, ge=0.05, description="seconds between looks at the log")
    close_hour_s: float = Field(
        default=120.0, ge=0, description="seconds after its end at which an hour's heartbeats go into the log"
    )
