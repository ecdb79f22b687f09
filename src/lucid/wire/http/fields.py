"""Header fields as a proxy passes them on: which stay behind, and whom a request came from."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from lucid.base.ids import new_session_id

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Fields = Sequence[tuple[bytes, bytes]]
"""Header fields in order, names in lower case."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields of one connection (RFC 9110 section 7.6.1)."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_FOR = re.compile(r'for="?([^;,"]+)', re.IGNORECASE)


def nominated(fields: Fields) -> frozenset[bytes]:
    """Further fields that the sender's Connection field declares to be of this connection only."""
    found = [value for name, value in fields if name == b"connection"]
    return frozenset(token.strip().lower() for value in found for token in value.split(b","))


def request_id(given: bytes | None) -> str:
    """The id that the client gave if it can be one (8 to 64 of A-Z a-z 0-9 . _ -), otherwise a fresh one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return new_session_id()


def client_address(peer: str, fields: Fields, trusted: Iterable[Network]) -> str:
    """Who sent the request: `peer`, or if that is a trusted proxy, the last address that a trusted one named in
    Forwarded (RFC 7239) or X-Forwarded-For and that is not itself trusted.

    A proxy writes one of the two, and many pass the other on as the client sent it: where they name different clients
    neither is believed."""
    networks = tuple(trusted)
    ways = [hops for hops in (_forwarded(fields), _listed(fields)) if hops] if networks else []
    named = {_last_stranger([*hops, peer], networks) for hops in ways}
    return named.pop() if len(named) == 1 else _last_stranger([peer], networks)


def _last_stranger(hops: Sequence[str], networks: Sequence[Network]) -> str:
    """The last hop that is in none of the networks; where that is not known, the last that is."""
    address = hops[-1]
    for hop in reversed(hops):
        if (parsed := _parse(hop)) is None:
            break
        address = str(parsed)
        if not any(parsed in network for network in networks):
            break
    return address


@lru_cache(maxsize=4096)
def limit_key(address: str) -> str:
    """By what limits know a client: its address, with IPv6 its network of 64 bits, which one client may own whole."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
    return address


def _forwarded(fields: Fields) -> list[str]:
    forwarded = ",".join(value.decode("latin-1") for name, value in fields if name == b"forwarded")
    return _FOR.findall(forwarded)


def _listed(fields: Fields) -> list[str]:
    listed = ",".join(value.decode("latin-1") for name, value in fields if name == b"x-forwarded-for")
    return [part.strip() for part in listed.split(",")] if listed else []


def _parse(text: str) -> Address | None:
    """An address, with or without port and brackets; IPv4 in IPv6 form as what it is."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
