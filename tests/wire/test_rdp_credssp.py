"""CredSSP's messages: DER both ways, and nothing but a clean error for what is none."""

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.secret import Secret
from lucid.wire.rdp.credssp import (
    TSRequest,
    key_for_server,
    key_from_server,
    password_credentials,
    ts_request_length,
)
from lucid.wire.rdp.pdu import ProtocolError

MESSAGES = st.builds(
    TSRequest,
    version=st.integers(0, 100),
    token=st.binary(max_size=400),
    auth_info=st.binary(max_size=400),
    key_auth=st.binary(max_size=1000),
    error=st.integers(0, 0xFFFF_FFFF),
    nonce=st.binary(max_size=32),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: TSRequest) -> None:
    data = message.to_bytes()
    assert TSRequest.from_bytes(data) == message
    assert ts_request_length(data) == ts_request_length(data + b"more") == len(data)


@given(MESSAGES, st.integers(0, 1000))
def test_a_message_that_is_cut_is_refused(message: TSRequest, count: int) -> None:
    data = message.to_bytes()
    cut = data[: min(count, len(data) - 1)]
    with pytest.raises(ProtocolError):
        TSRequest.from_bytes(cut)
    assert ts_request_length(cut) in (None, len(data))


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        ts_request_length(data)
        TSRequest.from_bytes(data)


def test_golden_messages() -> None:
    """Written down from MS-CSSP section 2.2.1 by hand."""
    assert TSRequest(version=6, token=b"NTLM").to_bytes().hex() == "3013a003020106a10c300a3008a00604044e544c4d"
    assert TSRequest(version=2, error=0xC000006D).to_bytes().hex() == "300ea003020102a407020500c000006d"
    as_signed = bytes.fromhex("300da003020102a4060204c000006d")  # the other way to write an NTSTATUS
    assert TSRequest.from_bytes(as_signed).error == 0xC000006D


def test_credentials() -> None:
    data = password_credentials(username="ab", password=Secret("c"), domain="d")
    inner = "3014" + "a00404026400" + "a106040461006200" + "a20404026300"
    assert data.hex() == "301f" + "a003020101" + "a1180416" + inner


@pytest.mark.parametrize(
    "data",
    ["", "31", "3000", "30020500", "3005a003020106ff", "3007a003020106a100", "300aa003020106a1033001a0", "30ff"],
)
def test_malformed(data: str) -> None:
    with pytest.raises(ProtocolError):
        TSRequest.from_bytes(bytes.fromhex(data))


def test_the_key_is_bound_by_a_hash_since_version_5() -> None:
    key, nonce = b"\xffkey", bytes(32)
    assert key_for_server(4, nonce, key) == key
    assert key_from_server(4, nonce, key) == b"\x00key"
    expected = hashlib.sha256(b"CredSSP Client-To-Server Binding Hash\0" + nonce + key).digest()
    assert key_for_server(5, nonce, key) == expected
    assert key_from_server(6, nonce, key) != expected
