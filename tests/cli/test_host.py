"""Addresses of `lucid host add`."""

import pytest

from lucid.base.errors import InvalidInput
from lucid.cli.host import split_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("office", ("office", 3389)),
        ("192.0.2.7:13389", ("192.0.2.7", 13389)),
        ("[2001:db8::7]:3390", ("2001:db8::7", 3390)),
        ("[2001:db8::7]", ("2001:db8::7", 3389)),
        ("2001:db8::7", ("2001:db8::7", 3389)),
    ],
)
def test_address_and_port(text: str, expected: tuple[str, int]) -> None:
    assert split_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ":3389", "office:0", "office:65536", "office:rdp", "office:", "my office", "-v", "a/b"),
        *("[::1", "::1]", "[::1:3389", "[[::1]]", "[office]", "[]"),
    ],
)
def test_a_wrong_address_is_bad_input(text: str) -> None:
    with pytest.raises(InvalidInput, match="ADDRESS"):
        split_address(text)
