"""What a connection may do, and for how long."""

from pydantic import Field, StrictBool, StrictInt

from lucid.model.canonical import CanonicalValue, canonical_json

CHANNELS = {"clipboard": "cliprdr", "drive": "rdpdr", "audio": "rdpsnd", "printer": "rdpdr", "usb": "drdynvc"}
"""The static virtual channel behind each kind of redirection; drive and printer share one, and
drdynvc also carries audio input, display control and USB, so it is granted by usb alone."""


class Policy(CanonicalValue):
    """A connection's rules; everything is denied unless allowed. Times in seconds."""

    clipboard: StrictBool = False
    drive: StrictBool = False
    audio: StrictBool = False
    printer: StrictBool = False
    usb: StrictBool = False
    idle_limit_s: StrictInt = Field(default=1800, ge=1, le=86_400, description="without any input, the session ends")
    total_limit_s: StrictInt = Field(default=28_800, ge=1, le=604_800, description="the session ends in any case")
    playback: StrictBool = Field(default=False, description="also wrap the recording's key for the platform's player")
    index_typed_text: StrictBool = Field(
        default=False,
        description="keep what is typed in the session as searchable text, outside of the encrypted recording; "
        "passwords that are typed into the desktop are among it",
    )

    def to_bytes(self) -> bytes:
        """Canonical JSON, without `index_typed_text` while that is off: policies older than this field keep their
        digest, which is in the log."""
        return canonical_json(self.model_dump(mode="json", exclude=set() if self.index_typed_text else _YOUNGER))


_YOUNGER = {"index_typed_text"}
