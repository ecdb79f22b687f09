"""Policies have one byte form, which stays what it was when they learn something new."""

from lucid.model.canonical import digest_of
from lucid.model.policy import Policy

BEFORE = (
    b'{"audio":false,"clipboard":true,"drive":false,"idle_limit_s":1800,"playback":false,"printer":false,'
    b'"total_limit_s":28800,"usb":false}'
)


def test_a_policy_without_younger_fields_keeps_its_digest() -> None:
    assert Policy(clipboard=True).to_bytes() == BEFORE
    assert Policy(clipboard=True).digest() == digest_of(BEFORE)
    assert Policy.from_bytes(BEFORE) == Policy(clipboard=True)


def test_typed_text_is_kept_only_where_the_policy_says_so() -> None:
    allowed = Policy(index_typed_text=True)
    assert not Policy().index_typed_text
    assert b'"index_typed_text":true' in allowed.to_bytes()
    assert Policy.from_bytes(allowed.to_bytes()) == allowed
    assert allowed.digest() != Policy().digest()
