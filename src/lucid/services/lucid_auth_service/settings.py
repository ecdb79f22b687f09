"""Settings of lucid-auth-service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class LucidAuthServiceSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_AUTH_SERVICE_")

    max_ticket_ttl_s: int = Field(default=3600, ge=1, description="longest life that a ticket may be given")
    ticket_skew_s: float = Field(default=5.0, ge=0, description="clock difference allowed between machines")
    remember_ticket_s: float = Field(
        default=3600.0, ge=0, description="how long an ended ticket is kept, to say why it does not work"
    )
    free_failures: int = Field(default=5, ge=1, description="failed logins of a name before it has to pause")
    first_pause_s: float = Field(default=1.0, gt=0, description="first pause, doubled at each further failure")
    longest_pause_s: float = Field(default=300.0, gt=0, description="longest pause between failed logins")
    forget_failures_s: float = Field(default=3600.0, gt=0, description="time after which failures are forgotten")
    sweep_interval_s: float = Field(default=300.0, gt=0, description="time between removals of what has ended")
