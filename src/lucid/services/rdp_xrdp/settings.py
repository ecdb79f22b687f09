"""Settings of rdp-xrdp."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


class RdpXrdpSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_RDP_XRDP_")

    listen_address: str = Field(
        default="127.0.0.1", pattern=r"^[0-9A-Fa-f.:]+$", description="IP address that xrdp listens on"
    )
    rdp_port: int = Field(default=3389, ge=0, le=65_535, description="TCP port of xrdp; 0: any free one")
    public_address: str = Field(
        default="",
        pattern=r"^[0-9A-Za-z._:%-]*$",
        description="address by which the gateway reaches xrdp; empty: the listen address",
    )
    autostart: bool = Field(default=False, description="start xrdp at once, not with the first desktop")
    group: str = Field(
        default="lucid-desktops",
        pattern=r"^lucid-[a-z0-9][a-z0-9-]{0,24}$",
        description="Unix group of the desktops' accounts; a second installation on a machine needs another",
    )
    home_dir: str = Field(default="/home", pattern=r"^/[!-~]*$", description="folder of the desktops' homes")
    skeleton_dir: str = Field(default="/etc/skel", pattern=r"^/[!-~]*$", description="what a fresh home is a copy of")
    xorg: str = Field(default="/usr/lib/xorg/Xorg", pattern=r"^/[!-~]+$", description="the X server, not its wrapper")
    max_sessions: int = Field(default=50, ge=1, le=1000, description="desktops that run at a time")
    start_limit_s: float = Field(default=8.0, gt=0, description="how long xrdp may take until it accepts connections")
    health_s: float = Field(default=5.0, gt=0, description="time between checks that xrdp accepts connections")
    health_failures: int = Field(default=3, ge=1, description="failed checks in a row after which it is started again")
    restart_s: float = Field(default=0.5, gt=0, description="wait before the first restart; each next is twice as long")
    restart_limit_s: float = Field(default=30.0, gt=0, description="longest wait before a restart")
