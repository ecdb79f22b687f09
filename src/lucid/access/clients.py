"""What RDP clients connect with: an .rdp file, a command line."""

import shlex
from pathlib import Path

from lucid.model.host import Ticket
from lucid.model.policy import Policy
from lucid.ports.access import GatewayEndpoint


def rdp_file(endpoint: GatewayEndpoint, ticket: Ticket, policy: Policy) -> str:
    """An .rdp file that mstsc, FreeRDP and Remmina open. The ticket is its routing token (`loadbalanceinfo`)."""
    settings: list[tuple[str, str | int]] = [
        ("full address:s", f"{endpoint.address}:{endpoint.port}"),
        ("loadbalanceinfo:s", f"lucid={ticket.secret.reveal()}"),
        ("username:s", ticket.user),
        ("enablecredsspsupport:i", 0),
        ("authentication level:i", 2),
        ("negotiate security layer:i", 1),
        ("prompt for credentials:i", 0),
        ("session bpp:i", 32),
        ("redirectclipboard:i", int(policy.clipboard)),
        ("redirectprinters:i", int(policy.printer)),
        ("drivestoredirect:s", "*" if policy.drive else ""),
        ("audiomode:i", 0 if policy.audio else 2),
        ("autoreconnection enabled:i", 0),
    ]
    return "".join(f"{key}:{value}\r\n" for key, value in settings)


def freerdp_line(path: Path | str, endpoint: GatewayEndpoint, *, program: str = "xfreerdp") -> str:
    """The command for FreeRDP 2 and 3. It accepts the gateway's certificate alone, without a question: FreeRDP
    compares fingerprints as pairs of hex digits with colons between them. The empty password keeps FreeRDP 3
    from asking for one, which nobody would look at."""
    pinned = bytes.fromhex(endpoint.fingerprint).hex(":")
    return f"{program} {shlex.quote(str(path))} /sec:tls /p: /cert:fingerprint:sha256:{pinned}"
