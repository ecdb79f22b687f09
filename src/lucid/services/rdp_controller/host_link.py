"""The gateway's own connection to a desktop host: TCP, X.224, TLS with a pinned certificate, NLA where it is wanted."""

import asyncio
import contextlib
import hashlib
import hmac
import ssl
from dataclasses import dataclass

from lucid.base.errors import Conflict, LucidError, NotFound
from lucid.model.host import Host, HostCredentials
from lucid.ports.access import Hosts
from lucid.services.rdp_controller import nla
from lucid.services.rdp_controller.peer import Peer
from lucid.services.rdp_controller.refusal import Reason, Refused
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.x224 import (
    PROTOCOL_HYBRID,
    PROTOCOL_SSL,
    ConnectionConfirm,
    ConnectionRequest,
    NegotiationFailure,
    parse_confirm,
)

_MAX_CONFIRM_BYTES = 259


@dataclass(frozen=True)
class HostLink:
    """A host that waits for the MCS handshake, over TLS. `confirm` is what it chose: plain TLS, or with NLA, by which
    the account is logged in already then."""

    peer: Peer
    confirm: ConnectionConfirm
    credentials: HostCredentials


async def connect_host(hosts: Hosts, name: str, *, tls: ssl.SSLContext, timeout_s: float) -> HostLink:
    """Connect to the host `name`. Raises Refused with the reason; nothing stays open then."""
    try:
        host = await hosts.get(name=name)
        credentials = await hosts.credentials(host=host)
    except NotFound as error:
        raise Refused(Reason.HOST_UNKNOWN, error.detail) from None
    except LucidError as error:
        raise Refused(Reason.UNAVAILABLE, error.detail) from None
    where = f"{host.address}:{host.port}"
    try:
        async with asyncio.timeout(timeout_s):
            return await _connect(hosts, host, credentials, tls, timeout_s)
    except TimeoutError:
        detail = f"{where} does not answer within {timeout_s:g} s"
    except ssl.SSLError as error:
        detail = f"{where}: TLS: {error.reason}"
    except OSError as error:
        detail = f"{where}: {error.strerror or error}"
    except ProtocolError as error:
        detail = f"{where} does not speak RDP: {error.detail}"
    raise Refused(Reason.HOST_UNREACHABLE, detail)


async def _connect(
    hosts: Hosts, host: Host, credentials: HostCredentials, tls: ssl.SSLContext, timeout_s: float
) -> HostLink:
    _, peer = await asyncio.get_running_loop().create_connection(Peer, host.address, host.port)
    with contextlib.ExitStack() as undo:
        undo.callback(peer.abort)
        confirm = await _negotiate(peer)
        await peer.start_tls(tls, server_side=False, timeout_s=timeout_s)
        await _check_certificate(hosts, host, peer.certificate())
        if confirm.selected_protocol == PROTOCOL_HYBRID:
            await nla.log_in(peer, credentials, host=host.address)
        undo.pop_all()
    return HostLink(peer, confirm, credentials)


async def _negotiate(peer: Peer) -> ConnectionConfirm:
    """Agree on TLS, with NLA if the host prefers that; the host's answer."""
    offered = PROTOCOL_SSL | PROTOCOL_HYBRID
    peer.write(ConnectionRequest(cookie=b"", requested_protocols=offered, flags=0).to_bytes())
    answer: ConnectionConfirm | NegotiationFailure = parse_confirm(await peer.read_pdu(limit=_MAX_CONFIRM_BYTES))
    if isinstance(answer, NegotiationFailure):
        raise Refused(Reason.HOST_WITHOUT_TLS, f"the host refuses TLS and NLA (code {answer.code})")
    if answer.selected_protocol not in (PROTOCOL_SSL, PROTOCOL_HYBRID):
        raise Refused(Reason.HOST_WITHOUT_TLS, f"the host selects protocol {answer.selected_protocol}, not TLS")
    return answer


async def _check_certificate(hosts: Hosts, host: Host, certificate: bytes) -> None:
    """The host must show the certificate that is pinned; without one, this is pinned."""
    fingerprint = hashlib.sha256(certificate).hexdigest()
    if not host.fingerprint:
        try:
            host = await hosts.pin(name=host.name, fingerprint=fingerprint)
        except Conflict as error:
            raise Refused(Reason.HOST_CERTIFICATE, error.detail) from None
        except LucidError as error:
            raise Refused(Reason.UNAVAILABLE, error.detail) from None
    if not hmac.compare_digest(host.fingerprint, fingerprint):
        raise Refused(
            Reason.HOST_CERTIFICATE,
            f"the host shows certificate {fingerprint[:16]}…, pinned is {host.fingerprint[:16]}…",
        )
