"""One desktop session while it runs: bytes between client and host, limits, and why it ended."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from lucid.base.ids import SessionId
from lucid.model.frame import Direction
from lucid.model.host import Grant
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.access import LiveSession
from lucid.ports.recording import Recorder
from lucid.services.rdp_controller.peer import Peer
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.services.rdp_controller.tee import FlushClock, Tee
from lucid.wire.rdp import mcs
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.relay import Relay

_CLOSE_GRACE_S = 1.0
_GOODBYE = mcs.disconnect()


class DesktopSession:
    """Relays until one side closes, a limit is reached, or the recording fails. `run` is called once."""

    def __init__(
        self,
        settings: RdpControllerSettings,
        *,
        session: SessionId,
        grant: Grant,
        client: Peer,
        host: Peer,
        relay: Relay,
        recorder: Recorder,
        clock: FlushClock,
    ) -> None:
        self._settings = settings
        self._session = session
        self._grant = grant
        self._client = client
        self._host = host
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self._tee = Tee(
            settings,
            clock=clock,
            recorder=recorder,
            session=session,
            full=self._tee_full,
            failed=self._tee_failed,
        )
        self._over: asyncio.Future[SessionEnd] = self._loop.create_future()
        self._began = self._last_input = time.monotonic()
        self._inputs = 0
        self._client_bytes = self._host_bytes = 0
        self._started = False
        self._is_tee_full = False
        self._stalled: dict[Peer, asyncio.TimerHandle] = {}

    # Control.

    def end(self, reason: EndReason, detail: str = "") -> None:
        """End the session; only the first reason counts."""
        if not self._over.done():
            self._over.set_result(SessionEnd(reason=reason, detail=detail[:500]))

    def live(self) -> LiveSession:
        """What the session is doing now."""
        now = time.monotonic()
        return LiveSession(
            session=self._session,
            user=self._grant.user,
            host=self._grant.host,
            client_bytes=self._client_bytes,
            host_bytes=self._host_bytes,
            idle_s=now - self._last_input,
            elapsed_s=now - self._began,
            client_rtt_ms=self._client.rtt_ms(),
            host_rtt_ms=self._host.rtt_ms(),
            client=self._client.address,
        )

    async def run(self) -> SessionEnd:
        """Relay until the end. Both connections are closed and the last frames durable when it returns."""
        recording = asyncio.create_task(self._tee.run(), name=f"tee:{self._session}")
        recording.add_done_callback(self._recording_ended)
        try:
            self._begin(self._host, self._from_host, EndReason.HOST_CLOSED, self._tee.room)
            self._begin(self._client, self._from_client, EndReason.CLIENT_CLOSED)
            end = await self._watch()
        finally:
            for timer in self._stalled.values():
                timer.cancel()
            self._tee.finish()
            try:
                await asyncio.gather(self._close(self._client), self._host.close(grace_s=_CLOSE_GRACE_S), recording)
            finally:
                recording.cancel()
        return end

    def _begin(
        self,
        peer: Peer,
        receive: Callable[[bytes], None],
        closed: EndReason,
        room: Callable[[], memoryview] | None = None,
    ) -> None:
        def lost(future: asyncio.Future[Exception | None]) -> None:
            error = future.result()
            self.end(closed, f"{type(error).__name__}: {error}" if error else "")

        peer.lost.add_done_callback(lost)
        peer.begin_relay(
            receive=receive,
            backlog=partial(self._backlog, peer),
            buffer_bytes=self._settings.write_buffer_bytes,
            room=room,
        )

    async def _close(self, client: Peer) -> None:
        """A client that does not read will not take its last bytes either."""
        if self._over.done() and self._over.result().reason is EndReason.CLIENT_STALLED:
            client.abort()
        await client.close(grace_s=_CLOSE_GRACE_S)

    # Bytes.

    def _from_host(self, data: bytes) -> None:
        if self._over.done():
            return
        if not self._started:
            self.end(EndReason.PROTOCOL_ERROR, "the host speaks before the client")
            return
        try:
            relayed = self._relay.from_host(data)
        except ProtocolError as error:
            self.end(EndReason.PROTOCOL_ERROR, f"host: {error.detail}")
            return
        self._host_bytes += len(data)
        if relayed.to_peer:
            self._client.write(relayed.to_peer)
        if relayed.record is data:  # the host's bytes were read into the tee's room, and are there still
            self._tee.keep(Direction.SERVER_TO_CLIENT, len(data))
        elif relayed.record:
            self._tee.add(Direction.SERVER_TO_CLIENT, relayed.record)

    def _from_client(self, data: bytes) -> None:
        if self._over.done():
            return
        try:
            relayed = self._relay.from_client(data)
        except ProtocolError as error:
            self.end(EndReason.PROTOCOL_ERROR, f"client: {error.detail}")
            return
        self._client_bytes += len(data)
        if not self._started and self._relay.desktop is not None:
            self._started = True
            self._tee.start(*self._relay.desktop)
        if relayed.to_peer:
            self._host.write(relayed.to_peer)
        if relayed.record:
            self._tee.add(Direction.CLIENT_TO_SERVER, relayed.record)
        if _says_goodbye(relayed.to_peer):
            self.end(EndReason.CLIENT_CLOSED)
        if self._relay.input_count != self._inputs:
            self._inputs = self._relay.input_count
            self._last_input = time.monotonic()

    # Back-pressure: neither side is read while its bytes cannot go on or cannot be recorded.

    def _backlog(self, peer: Peer, waiting: bool) -> None:
        if waiting:
            reason = EndReason.CLIENT_STALLED if peer is self._client else EndReason.HOST_CLOSED
            who = "client" if peer is self._client else "host"
            limit_s = self._settings.stall_limit_s
            self._stalled[peer] = self._loop.call_later(
                limit_s, self.end, reason, f"the {who} read nothing for {limit_s:g} s"
            )
        elif peer in self._stalled:
            self._stalled.pop(peer).cancel()
        self._set_reading()

    def _tee_full(self, full: bool) -> None:
        self._is_tee_full = full
        self._set_reading()

    def _set_reading(self) -> None:
        self._client.set_reading(not self._is_tee_full and self._host not in self._stalled)
        self._host.set_reading(not self._is_tee_full and self._client not in self._stalled)

    def _tee_failed(self, detail: str) -> None:
        self.end(EndReason.RECORDER_FAILED, detail)

    def _recording_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.end(EndReason.RECORDER_FAILED, "the recording ended unexpectedly")

    # Limits.

    async def _watch(self) -> SessionEnd:
        """Wait for the end and bring it about when a time limit is reached."""
        while not self._over.done():
            now = time.monotonic()
            deadline, reason, detail = self._next_limit()
            if now >= deadline:
                self.end(reason, detail)
                break
            await asyncio.wait([self._over], timeout=deadline - now)
        return self._over.result()

    def _next_limit(self) -> tuple[float, EndReason, str]:
        """The monotonic time of the limit that comes first, and what it means."""
        policy, logon_s = self._grant.policy, self._settings.handshake_timeout_s
        limits = [
            (self._last_input + policy.idle_limit_s, EndReason.IDLE_LIMIT, f"no input for {policy.idle_limit_s} s"),
            (self._began + policy.total_limit_s, EndReason.TOTAL_LIMIT, f"{policy.total_limit_s} s are over"),
        ]
        if not self._relay.established:
            limits.append((self._began + logon_s, EndReason.PROTOCOL_ERROR, f"no logon within {logon_s:g} s"))
        return min(limits, key=lambda limit: limit[0])


def _says_goodbye(data: bytes) -> bool:
    """Whether the client's last PDU is a Disconnect Provider Ultimatum, whatever its reason. That counts as its
    leaving, because the host answers by closing first."""
    last = data[-len(_GOODBYE) :]
    return last[:7] == _GOODBYE[:7] and mcs.choice(last) == mcs.DISCONNECT
