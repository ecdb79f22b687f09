"""What the gateway changes in the connection sequence so that everything on the screen can be recorded
losslessly and only allowed channels open. Pure functions; the reasons stand next to each change."""

from dataclasses import replace

from lucid.base.secret import Secret
from lucid.wire.rdp import capabilities
from lucid.wire.rdp.capabilities import Capability, ConfirmActive
from lucid.wire.rdp.gcc import (
    CS_CORE,
    CS_MULTITRANSPORT,
    CS_NET,
    SC_CORE,
    Block,
    Channel,
    channels_block,
    parse_channels,
)
from lucid.wire.rdp.mcs import ConnectInitial, ConnectResponse
from lucid.wire.rdp.share import (
    INFO_AUTOLOGON,
    INFO_COMPRESSION,
    INFO_COMPRESSION_TYPES,
    INFO_PASSWORD_IS_SC_PIN,
    ClientInfo,
)
from lucid.wire.rdp.x224 import PROTOCOL_SSL

_WANT_32BPP = 0x0002
_AUTODETECT, _GRAPHICS_PIPELINE, _HEARTBEAT = 0x0080, 0x0100, 0x0400
_LOSSY_DRAWING = 0x02 | 0x04


def patch_connect_initial(
    initial: ConnectInitial, channels: frozenset[str], protocol: int = PROTOCOL_SSL
) -> ConnectInitial:
    """What the host gets to see of the client: 32 bpp, no graphics pipeline, the security protocol that the host
    selected, and only `channels`."""
    return replace(initial, blocks=tuple(_patch_client_block(block, channels, protocol) for block in initial.blocks))


def _patch_client_block(block: Block, channels: frozenset[str], protocol: int) -> Block:
    if block.type == CS_CORE:
        block = block.patched(140, b"\x18\0")  # highColorDepth: 24
        block = block.patched(142, b"\x0f\0")  # supportedColorDepths: all, 32 bpp among them
        block = block.patched(212, protocol.to_bytes(4, "little"))
        if len(block.data) >= 146 - 4:
            # Autodetect and heartbeat would need the message channel, the pipeline is not bitmaps.
            flags = block.u16(144) & ~(_AUTODETECT | _GRAPHICS_PIPELINE | _HEARTBEAT) | _WANT_32BPP
            block = block.patched(144, flags.to_bytes(2, "little"))
    elif block.type == CS_MULTITRANSPORT:
        block = Block(block.type, bytes(len(block.data)))  # a UDP side channel would pass the recorder by
    elif block.type == CS_NET:
        # Renamed, not removed: ids are given by position.
        block = channels_block(
            [
                channel if channel.name.lower() in channels else Channel(f"x{position}", channel.options)
                for position, channel in enumerate(parse_channels(block))
            ]
        )
    return block


def patch_connect_response(response: ConnectResponse, requested_protocols: int) -> ConnectResponse:
    """Echoes the client's own requestedProtocols, which it compares with what it sent."""
    echo = requested_protocols.to_bytes(4, "little")
    return replace(response, blocks=tuple(b.patched(8, echo) if b.type == SC_CORE else b for b in response.blocks))


def patch_client_info(info: ClientInfo, *, username: str, password: Secret, domain: str) -> ClientInfo:
    """The host's credentials in place of the client's, logged on without asking, uncompressed. The program that the
    client would have started is left out: this PDU is not recorded, so nobody could see it."""
    dropped = INFO_COMPRESSION | INFO_COMPRESSION_TYPES | INFO_PASSWORD_IS_SC_PIN
    flags = info.flags & ~dropped | INFO_AUTOLOGON
    return replace(info, flags=flags, domain=domain, user=username, password=password, shell="", directory="")


def patch_confirm_active(confirm: ConfirmActive) -> ConfirmActive:
    """Leaves bitmap updates as the host's one way to draw: no orders, surfaces or codecs."""
    return replace(confirm, capabilities=tuple(c for s in confirm.capabilities if (c := _patch_capability(s))))


def _patch_capability(capability: Capability) -> Capability | None:
    match capability.type:
        case capabilities.GENERAL:
            flags = capability.u16(14) | capabilities.FAST_PATH_OUTPUT
            return capability.patched(14, flags.to_bytes(2, "little"))
        case capabilities.BITMAP:
            # drawingFlags: no chroma subsampling and no colour loss, a recording shows what was drawn.
            return capability.patched(23, bytes((capability.u8(23) & ~_LOSSY_DRAWING,)))
        case capabilities.ORDER:
            return capability.patched(36, bytes(32))
        case capabilities.OFFSCREEN | capabilities.SURFACE_COMMANDS:
            return capability.patched(4, bytes(4))
        case capabilities.BITMAP_CODECS | capabilities.FRAME_ACKNOWLEDGE:
            return None
    return capability
