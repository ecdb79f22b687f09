"""Header fields as a proxy reads them: ids, traces, and whom a request came from."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.wire.http.fields import client_address, limit_key, nominated, request_id
from lucid.wire.http.trace import next_hop

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("given_", [b"a-request.1", b"A" * 64, b"0" * 8])
def test_a_fitting_request_id_stays(given_: bytes) -> None:
    assert request_id(given_) == given_.decode()


@pytest.mark.parametrize("given_", [None, b"", b"short", b"a" * 65, b"with space", b"line\nfeed-", b"\xc3\xa4bcdefgh"])
def test_any_other_is_replaced(given_: bytes | None) -> None:
    assert request_id(given_) != request_id(given_)
    assert len(request_id(given_)) == 36


def test_a_trace_goes_on_with_a_span_of_its_own() -> None:
    hop = next_hop(f"00-{TRACE}-{SPAN}-00".encode())
    assert (hop.id, hop.flags, hop.continued) == (TRACE, "00", True)
    assert hop.span != SPAN
    assert hop.parent == f"00-{TRACE}-{hop.span}-00".encode()
    assert next_hop(f"cc-{TRACE}-{SPAN}-01-of-the-future".encode()).id == TRACE


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-1",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_an_invalid_trace_begins_anew(value: str) -> None:
    hop = next_hop(value.encode())
    assert hop.id != TRACE
    assert not hop.continued


@given(st.binary(max_size=80))
def test_whatever_comes_a_valid_trace_goes_on(value: bytes) -> None:
    assert next_hop(next_hop(value).parent).continued


@pytest.mark.parametrize(
    ("peer", "field", "value", "seen"),
    [
        ("203.0.113.1", b"x-forwarded-for", b"6.6.6.6", "203.0.113.1"),
        ("10.0.0.1", b"x-forwarded-for", b"6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", b"x-forwarded-for", b"1.1.1.1, 6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", b"x-forwarded-for", b"6.6.6.6, 10.9.9.9, fd00::1", "6.6.6.6"),
        ("10.0.0.1", b"x-forwarded-for", b"10.7.7.7", "10.7.7.7"),
        ("10.0.0.1", b"x-forwarded-for", b"6.6.6.6:4711", "6.6.6.6"),
        ("10.0.0.1", b"x-forwarded-for", b"6.6.6.6, unknown", "10.0.0.1"),
        ("10.0.0.1", b"forwarded", b"for=6.6.6.6;proto=https, FOR=10.1.1.1", "6.6.6.6"),
        ("10.0.0.1", b"forwarded", b'for="[2001:db8::7]:80"', "2001:db8::7"),
        ("10.0.0.1", b"forwarded", b"for=_hidden", "10.0.0.1"),
        ("::ffff:10.0.0.1", b"x-forwarded-for", b"6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", b"x-other", b"6.6.6.6", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, field: bytes, value: bytes, seen: str) -> None:
    assert client_address(peer, [(field, value)], TRUSTED) == seen


def test_what_a_client_slips_past_a_proxy_is_not_believed() -> None:
    theirs, proxys = b"9.9.9.9", b"9.9.9.9, 6.6.6.6"
    for fields in (
        [(b"forwarded", b"for=" + theirs), (b"x-forwarded-for", proxys)],
        [(b"x-forwarded-for", theirs), (b"forwarded", b"for=9.9.9.9, for=6.6.6.6")],
    ):
        assert client_address("10.0.0.1", fields, TRUSTED) == "10.0.0.1"
    both = [(b"forwarded", b"for=6.6.6.6"), (b"x-forwarded-for", b"6.6.6.6")]
    assert client_address("10.0.0.1", both, TRUSTED) == "6.6.6.6"


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_field_breaks_it(value: str, peer: str) -> None:
    for name in (b"forwarded", b"x-forwarded-for"):
        client_address(peer, [(name, value.encode())], TRUSTED)
        client_address("10.0.0.1", [(name, value.encode())], TRUSTED)
    limit_key(value)


def test_one_client_has_one_key() -> None:
    assert limit_key("2001:db8:1:2::1") == limit_key("2001:db8:1:2:ffff::9") != limit_key("2001:db8:1:3::1")
    assert limit_key("192.0.2.1") != limit_key("192.0.2.2")


def test_connection_names_further_fields_of_one_hop() -> None:
    assert nominated([(b"connection", b"Close, X-A"), (b"connection", b"x-b")]) == {b"close", b"x-a", b"x-b"}
