"""What the client sends for typed text: Unicode events for characters, keys for what is no character."""

import pytest

from lucid.base.secret import Secret
from lucid.wire.rdp.client import ClientHandshake


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a", "0405 8061000405 816100"),
        ("\n", "0404 001c0404 011c"),
        ("\t", "0404 000f0404 010f"),
        ("😀", "0405 803dd80405 813dd80405 8000de0405 8100de"),
    ],
)
def test_text_is_pressed_and_released(text: str, sent: str) -> None:
    """Fast-path input PDUs of one event each (section 2.2.8.1.2): xrdp knows no Unicode event for Enter."""
    assert ClientHandshake(username="", password=Secret("")).text(text) == bytes.fromhex(sent)
