"""Settings of the RDP gateway."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class RdpControllerSettings(Settings):
    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="LUCID_RDP_CONTROLLER_")

    listen_address: str = Field(default="127.0.0.1", description="address to listen on for RDP clients")
    rdp_port: int = Field(default=3389, ge=0, le=65_535, description="TCP port for RDP clients; 0: any free one")
    public_address: str = Field(default="", description="address that clients are told; empty: the listen address")

    handshake_timeout_s: float = Field(
        default=10.0, gt=0, description="limit for each step of the client's handshake: request, TLS, logon"
    )
    connect_timeout_s: float = Field(default=10.0, gt=0, description="limit for reaching the host, TLS included")
    max_connections: int = Field(default=256, ge=1, description="connections at a time, handshakes included")
    max_connections_per_address: int = Field(default=64, ge=1, description="the same for one client address")
    bad_tickets_per_minute: int = Field(
        default=10, ge=1, description="bad tickets of one address in 60 s before its further ones are refused unseen"
    )

    stall_limit_s: float = Field(
        default=15.0, gt=0, description="how long a peer may leave what is sent to it unread before the session ends"
    )
    write_buffer_bytes: int = Field(
        default=1_048_576, ge=65_536, description="unsent bytes to a peer at which the other one is not read any more"
    )
    flush_ms: int = Field(default=150, ge=1, le=200, description="how long a frame waits at most to go to the recorder")
    flush_bytes: int = Field(
        default=1_048_576, ge=65_536, description="collected bytes at which frames go to the recorder at once"
    )
    tee_buffer_bytes: int = Field(
        default=8_388_608, ge=1_048_576, description="bytes not yet durable at which neither peer is read any more"
    )
    heartbeat_s: float = Field(
        default=5.0, gt=0, description="how often the recorder is told that a session without new frames goes on"
    )
    append_limit_s: float = Field(
        default=1.0, gt=0, description="how long making frames durable may take before the session ends"
    )
