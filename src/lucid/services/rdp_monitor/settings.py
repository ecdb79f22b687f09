"""Settings of rdp-monitor."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.ids import Name
from lucid.base.settings import Settings


class RdpMonitorSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_RDP_MONITOR_")

    sample_s: float = Field(default=5.0, gt=0, description="time between samples of the running sessions")
    max_series: int = Field(
        default=100, ge=0, le=10_000, description="sessions, and hosts, that have Prometheus series of their own"
    )
    probe_interval_s: float = Field(
        default=0.0, ge=0, description="time between synthetic connections to each host; 0: none are made"
    )
    probe_hosts: tuple[Name, ...] = Field(default=(), description="hosts to connect to, as a JSON list; empty: all")
    probe_limit_s: float = Field(default=20.0, gt=0, description="how long a synthetic connection may take")
    probe_history: int = Field(default=100, ge=1, le=1000, description="results kept for each host")
    alarm_after: int = Field(
        default=2, ge=1, description="failed connections in a row after which a host counts as unreachable"
    )
