"""What a connection may do, and for how long."""

from pydantic import Field

from lucid.model.canonical import CanonicalValue

CHANNELS = {"clipboard": "cliprdr", "drive": "rdpdr", "audio": "rdpsnd", "printer": "rdpdr", "usb": "drdynvc"}
"""The static virtual channel behind each kind of redirection; drive and printer share one, and
drdynvc also carries audio input, display control and USB, so it is granted by usb alone."""


class Policy(CanonicalValue):
    """A connection's rules; everything is denied unless allowed. Times in seconds."""

    clipboard: bool = False
    drive: bool = False
    audio: bool = False
    printer: bool = False
    usb: bool = False
    idle_limit_s: int = Field(default=1800, ge=1, le=86_400, description="without any input, the session ends")
    total_limit_s: int = Field(default=28_800, ge=1, le=604_800, description="the session ends in any case")
    playback: bool = Field(default=False, description="also wrap the recording's key for the platform's player")
