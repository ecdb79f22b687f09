"""The demonstration: a session through the gateway to a built-in desktop, recorded, proven, verified offline."""

import asyncio
import contextlib
import importlib.resources
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from lucid.base.clock import SystemClock
from lucid.base.errors import NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.catalog.keys import OWNER_IDENTITY
from lucid.crypto.certificate import self_signed, server_context
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.host import ReplayHost
from lucid.drivers.rdp.recording import Recording
from lucid.model.bundle import Bundle
from lucid.model.host import Host, HostCredentials
from lucid.model.policy import Policy
from lucid.model.session import SessionState
from lucid.model.tlog import Block
from lucid.ports.access import Gateway, Hosts, Tickets
from lucid.ports.recording import Pipeline
from lucid.runtime.export import Export, PortSource, export_session
from lucid.runtime.paths import DataDir
from lucid.runtime.picture import png_of, read_identity, recorded_frames, screen_at
from lucid.verify.files import Paths, verify_paths

HOST_NAME = "demo"
USER = "demo"
PROOF_LIMIT_S = 60.0

Progress = Callable[[str, float], None]
"""Told the step and how much of the whole is done, from 0 to 1."""


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration recorded and proved. Sizes in bytes; `cpu_s` is of the platform's process, in which
    the demonstration's own client and desktop run too if `same_process`."""

    session: str
    frames: int
    recorded_bytes: int
    stored_bytes: int
    duration_s: float
    cpu_s: float
    same_process: bool
    chunks: int
    block_height: int
    log_size: int
    verified: bool
    steps: int
    verify_ms: float
    picture: Path | None
    export: Export


async def play_demo(platform: PortSource, data: DataDir, pid: int, progress: Progress) -> DemoResult:
    """Record a session of the built-in desktop through the gateway and verify it from its exported files.

    `data` is the platform's data folder and `pid` its process. Raises Unavailable when the session is not
    proven within a minute.
    """
    process = psutil.Process(pid)
    before = process.cpu_times()
    recording = Recording.from_bytes((importlib.resources.files("lucid.drivers.rdp") / "demo.lucidrec").read_bytes())
    password = Secret(secrets.token_urlsafe(12))
    async with ReplayHost(
        recording, tls=server_context(self_signed("lucid-demo")), username=USER, password=password
    ) as host:
        progress("Registering a desktop host", 0.05)
        await _register(platform.port(Hosts), host.port, password)
        await _watch(platform, recording, progress)
    progress("Sealing, anchoring and proving", 0.8)
    session = await _proven(platform.port(Pipeline))
    spent = process.cpu_times()
    progress("Exporting", 0.9)
    export = await export_session(platform, session, data.root / "exports" / session)
    progress("Verifying offline", 0.95)
    cpu_s = (spent.user + spent.system) - (before.user + before.system)
    return await asyncio.to_thread(_verify, session, export, data, cpu_s, pid == os.getpid())


async def _register(hosts: Hosts, port: int, password: Secret) -> None:
    with contextlib.suppress(NotFound):
        await hosts.remove(name=HOST_NAME)
    host = Host(name=HOST_NAME, address="127.0.0.1", port=port, added=SystemClock().now())
    await hosts.add(host=host, credentials=HostCredentials(username=USER, password=password))


async def _watch(platform: PortSource, recording: Recording, progress: Progress) -> None:
    """Connect as a user with a ticket would, and look until the desktop's recording is over."""
    endpoint = await platform.port(Gateway).endpoint()
    ticket = await platform.port(Tickets).issue(user="admin", host=HOST_NAME, policy=Policy(), ttl_s=60)
    progress("Connecting through the gateway", 0.1)
    client = await RdpClient.connect(
        endpoint.address,
        endpoint.port,
        token=ticket.secret.reveal(),
        width=recording.width,
        height=recording.height,
        fingerprint=endpoint.fingerprint,
    )
    async with client:
        began = time.monotonic()
        closed = asyncio.create_task(client.wait_closed())
        while not closed.done():
            seen = min(1.0, (time.monotonic() - began) / max(0.1, recording.duration_s))
            progress(f"Recording: {client.bytes_received / 1e6:.1f} MB of desktop", 0.1 + 0.7 * seen)
            await asyncio.wait({closed}, timeout=0.1)


async def _proven(pipeline: Pipeline) -> str:
    newest = (await pipeline.list(limit=1))[0]
    session = await pipeline.wait(session=newest.id, wait_s=PROOF_LIMIT_S)
    if session.state is not SessionState.PROVEN:
        raise Unavailable(f"session {session.id} is {session.state} after {PROOF_LIMIT_S:g} s: {session.error}")
    return session.id


def _last_picture(export: Export, data: DataDir) -> Path | None:
    identity = data.keys / OWNER_IDENTITY.name
    if not identity.exists():
        return None
    picture = export.folder / "last-picture.png"
    picture.write_bytes(png_of(screen_at(recorded_frames(export, read_identity(identity)))))
    return picture


def _verify(session: str, export: Export, data: DataDir, cpu_s: float, same_process: bool) -> DemoResult:
    began = time.perf_counter()
    report = verify_paths(Paths(bundle=export.bundle, key=str(export.key), recording=export.chunks))
    verify_ms = (time.perf_counter() - began) * 1000
    bundle = Bundle.from_bytes(export.bundle.read_bytes())
    block = Block.from_text(bundle.block.split("\n\n")[0] + "\n")
    manifest = bundle.manifest
    return DemoResult(
        session=session,
        frames=manifest.frames,
        recorded_bytes=manifest.bytes.recorded,
        stored_bytes=manifest.bytes.stored,
        duration_s=manifest.duration_us / 1e6,
        cpu_s=cpu_s,
        same_process=same_process,
        chunks=manifest.chunks.count,
        block_height=block.height,
        log_size=block.size,
        verified=report.verified,
        steps=sum(step.outcome == "ok" for step in report.steps),
        verify_ms=verify_ms,
        picture=_last_picture(export, data),
        export=export,
    )
