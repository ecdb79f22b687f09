"""AES-256-GCM and HKDF against published vectors, and against tampering."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import Corrupted
from lucid.crypto import aead


def test_seal_matches_the_gcm_specification() -> None:
    """Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation"."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = aead.seal(
        key,
        bytes.fromhex("cafebabefacedbaddecaf888"),
        plaintext,
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    )
    assert sealed.hex() == (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" + "76fc6ece0f4e1768cddf8853bb2d551b"
    )


def test_derive_matches_rfc_5869() -> None:
    """The input key of RFC 5869 test case 3 (no salt, no info): the first 32 of its 42 bytes."""
    derived = aead.derive(bytes.fromhex("0b" * 22), "")
    assert derived.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_derived_keys_differ_by_purpose() -> None:
    key = aead.new_key()
    assert len({key, aead.derive(key, "lucid/journal/v1"), aead.derive(key, "other")}) == 3


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_was_sealed_opens(plaintext: bytes, aad: bytes) -> None:
    key, nonce = aead.new_key(), b"n" * aead.NONCE_BYTES
    sealed = aead.seal(key, nonce, memoryview(plaintext), aad)
    assert len(sealed) == len(plaintext) + aead.TAG_BYTES
    assert aead.open(key, nonce, memoryview(sealed), aad) == plaintext


def test_any_changed_bit_is_refused() -> None:
    key, nonce, aad = b"k" * 32, b"n" * 12, b"header"
    sealed = aead.seal(key, nonce, b"frames", aad)
    for position in range(len(sealed) * 8):
        forged = bytearray(sealed)
        forged[position // 8] ^= 1 << position % 8
        with pytest.raises(Corrupted):
            aead.open(key, nonce, bytes(forged), aad)


@pytest.mark.parametrize(
    ("key", "nonce", "aad", "length"),
    [
        (b"K" * 32, b"n" * 12, b"header", None),
        (b"k" * 32, b"N" * 12, b"header", None),
        (b"k" * 32, b"n" * 12, b"Header", None),
        (b"k" * 32, b"n" * 12, b"header", 10),
        (b"k" * 32, b"n" * 12, b"header", 0),
    ],
)
def test_wrong_key_nonce_aad_or_length_is_refused(key: bytes, nonce: bytes, aad: bytes, length: int | None) -> None:
    sealed = aead.seal(b"k" * 32, b"n" * 12, b"frames", b"header")
    with pytest.raises(Corrupted):
        aead.open(key, nonce, sealed[:length], aad)


def test_an_opener_puts_the_plaintext_where_it_is_told() -> None:
    key, nonce = bytes(32), bytes(12)
    opener, place = aead.Opener(key), bytearray(b"-" * 20)
    sealed = memoryview(aead.seal(key, nonce, b"plaintext", b"aad"))
    assert opener.open_into(memoryview(place)[5:], nonce, sealed, b"aad") == 9
    assert place == b"-----plaintext------"
    for wrong in (sealed[:-1], sealed[:15], sealed[:0]):
        with pytest.raises(Corrupted):
            opener.open_into(memoryview(place), nonce, wrong, b"aad")
