"""The gateway: accepts RDP clients and takes each through ticket, host, anchored opening and TLS to a session.

The order is the point. A client hears nothing until its session's opening is in the log; if that fails, or
anything before it, there is no session and the client is turned away with a logged reason.
"""

import asyncio
import contextlib
import errno
import os
import ssl
from collections.abc import Iterator
from itertools import chain, repeat

import structlog

from lucid.base.errors import Corrupted, InvalidInput, LucidError, NotFound, Unavailable
from lucid.base.ids import SessionId
from lucid.base.tasks import Tasks
from lucid.crypto.certificate import fingerprint, pinning_context, self_signed, server_context
from lucid.model.host import Grant
from lucid.model.policy import CHANNELS, Policy
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.access import GatewayEndpoint, Hosts, LiveSession, Tickets
from lucid.ports.recording import Pipeline, Recorder
from lucid.ports.stores import Bus, Folder
from lucid.services.rdp_controller.admission import Connections, TicketDesk, read_request
from lucid.services.rdp_controller.desktop_session import DesktopSession
from lucid.services.rdp_controller.host_link import HostLink, connect_host
from lucid.services.rdp_controller.peer import Peer
from lucid.services.rdp_controller.refusal import Reason, Refused
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.services.rdp_controller.tee import FlushClock
from lucid.wire.rdp.relay import Relay
from lucid.wire.rdp.x224 import PROTOCOL_SSL, ConnectionConfirm, ConnectionRequest

CERTIFICATE = "tls.pem"

_BACKLOG = 512
_STOP_LIMIT_S = 2.5
_REFUSE_GRACE_S = 1.0
_END_RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

_log = structlog.get_logger()


class RdpGateway:
    """Offers the port Gateway and listens for RDP clients between start() and stop()."""

    def __init__(
        self,
        settings: RdpControllerSettings,
        *,
        tickets: Tickets,
        hosts: Hosts,
        pipeline: Pipeline,
        recorder: Recorder,
        bus: Bus,
        folder: Folder,
    ) -> None:
        self._settings = settings
        self._hosts = hosts
        self._pipeline = pipeline
        self._recorder = recorder
        self._folder = folder
        self._desk = TicketDesk(tickets, bus, settings)
        self._connections = Connections(settings)
        self._clock = FlushClock(settings.flush_ms / 1000)
        self._tasks = Tasks("rdp-controller")
        self._sessions: dict[SessionId, DesktopSession] = {}
        self._opened: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._server: asyncio.Server | None = None
        self._endpoint: GatewayEndpoint | None = None
        self._client_tls: ssl.SSLContext
        self._host_tls = pinning_context()

    # The service.

    async def start(self) -> None:
        """Listen. Raises InvalidInput when the address is taken or not of this machine."""
        settings = self._settings
        certificate = await self._certificate()
        try:
            self._client_tls = server_context(certificate)
        except Corrupted as error:
            raise Corrupted(
                f"{CERTIFICATE} of rdp-controller: {error.detail}; without the file a new one is made"
            ) from None
        loop = asyncio.get_running_loop()
        where = f"{settings.listen_address}:{settings.rdp_port}"
        try:
            self._server = await loop.create_server(
                lambda: Peer(self._accepted), settings.listen_address, settings.rdp_port, backlog=_BACKLOG
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            field = "rdp_port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "listen_address"
            raise InvalidInput(
                f"cannot listen for RDP on {where}: {reason} (LUCID_RDP_CONTROLLER_{field.upper()} chooses another)",
                field=field,
            ) from None
        self._endpoint = GatewayEndpoint(
            address=settings.public_address or settings.listen_address,
            port=self._server.sockets[0].getsockname()[1],
            fingerprint=fingerprint(certificate),
        )
        _log.info("listening for RDP", address=settings.listen_address, port=self._endpoint.port)

    async def stop(self) -> None:
        """End all sessions as terminated and close everything, within three seconds."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for session in self._sessions.values():
            session.end(EndReason.TERMINATED, "the gateway stops")
        if self._opened:
            await asyncio.wait(self._opened, timeout=_STOP_LIMIT_S)
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness. Raises Unavailable when the listener is closed, or what ended a connection's task."""
        self._tasks.check()
        if self._server is None or not self._server.is_serving():
            raise Unavailable("the RDP listener is closed")

    async def _certificate(self) -> bytes:
        """The gateway's key and certificate, made at the first start."""
        try:
            return await self._folder.read(CERTIFICATE)
        except NotFound:
            name = self._settings.public_address or self._settings.listen_address
            certificate = await asyncio.to_thread(self_signed, name)
            await self._folder.write({CERTIFICATE: certificate})
            return certificate

    # The port Gateway.

    async def endpoint(self) -> GatewayEndpoint:
        if self._endpoint is None:
            raise Unavailable("the gateway has not started")
        return self._endpoint

    async def live(self) -> list[LiveSession]:
        return [session.live() for session in self._sessions.values()]

    async def terminate(self, *, session: SessionId) -> None:
        try:
            self._sessions[session].end(EndReason.TERMINATED, "ended by an administrator")
        except KeyError:
            raise NotFound(f"no running session {session}") from None

    # Connections.

    def _accepted(self, client: Peer) -> None:
        try:
            if self._stopping:
                raise Refused(Reason.STOPPING)
            self._connections.enter(client.address)
        except Refused as refusal:
            client.abort()
            _log.info("connection refused", client=client.address, reason=refusal.reason.value, detail=refusal.detail)
            return
        self._tasks.spawn(self._serve(client), name=client.address)

    @contextlib.contextmanager
    def _keep_until_reported(self) -> Iterator[None]:
        """While in the context, stop() leaves the current task time to report its session's end."""
        task = asyncio.current_task()
        assert task is not None
        self._opened.add(task)
        try:
            yield
        finally:
            self._opened.discard(task)

    async def _serve(self, client: Peer) -> None:
        """One client from its first byte to its last."""
        try:
            request = await read_request(client, timeout_s=self._settings.handshake_timeout_s)
            grant = await self._desk.redeem(request, client.address)
            link = await connect_host(
                self._hosts, grant.host, tls=self._host_tls, timeout_s=self._settings.connect_timeout_s
            )
            try:
                await self._session(client, request, grant, link)
            finally:
                link.peer.abort()
        except Refused as refusal:
            _log.info("connection refused", client=client.address, reason=refusal.reason.value, detail=refusal.detail)
            await client.close(grace_s=_REFUSE_GRACE_S)
        finally:
            client.abort()
            self._connections.leave(client.address)

    async def _session(self, client: Peer, request: ConnectionRequest, grant: Grant, link: HostLink) -> None:
        """Open, run, end. Raises Refused when the opening cannot be anchored."""
        try:
            opened = await self._pipeline.open(grant=grant)
        except LucidError as error:
            raise Refused(Reason.NOT_RECORDED, error.detail) from None
        about = {"session": opened.session, "client": client.address, "user": grant.user, "host": grant.host}
        _log.info("session began", **about)
        end = SessionEnd(reason=EndReason.TERMINATED, detail="the gateway stops")
        with self._keep_until_reported():
            try:
                end = await self._relay(client, request, grant, link, opened.session)
            finally:
                _log.info("session ended", **about, reason=end.reason.value, detail=end.detail)
                await self._report(opened.session, end)

    async def _relay(
        self, client: Peer, request: ConnectionRequest, grant: Grant, link: HostLink, session: SessionId
    ) -> SessionEnd:
        client.write(ConnectionConfirm(PROTOCOL_SSL, link.confirm.flags).to_bytes())
        try:
            await client.start_tls(self._client_tls, server_side=True, timeout_s=self._settings.handshake_timeout_s)
        except ssl.SSLError as error:
            return SessionEnd(reason=EndReason.PROTOCOL_ERROR, detail=f"client: TLS: {error.reason}")
        except OSError as error:
            what = str(error) or type(error).__name__
            return SessionEnd(reason=EndReason.CLIENT_CLOSED, detail=f"in the TLS handshake: {what}"[:500])
        relay = Relay(
            client_request=request,
            host_protocol=link.confirm.selected_protocol,
            username=link.credentials.username,
            password=link.credentials.password,
            domain=link.credentials.domain,
            channels=allowed_channels(grant.policy),
        )
        desktop = DesktopSession(
            self._settings,
            session=session,
            grant=grant,
            client=client,
            host=link.peer,
            relay=relay,
            recorder=self._recorder,
            clock=self._clock,
        )
        if self._stopping:
            return SessionEnd(reason=EndReason.TERMINATED, detail="the gateway stops")
        self._sessions[session] = desktop
        try:
            return await desktop.run()
        finally:
            del self._sessions[session]

    async def _report(self, session: SessionId, end: SessionEnd) -> None:
        """Tell the pipeline, which must know: tried again until it answers or the gateway stops."""
        for wait_s in chain(_END_RETRY_S, repeat(_END_RETRY_S[-1])):
            try:
                await self._pipeline.end(session=session, end=end)
                return
            except NotFound:
                _log.error("session end not wanted", session=session)
                return
            except LucidError as error:
                _log.warning("session end not delivered", session=session, detail=error.detail, retry_s=wait_s)
            if self._stopping:
                return
            await asyncio.sleep(wait_s)


def allowed_channels(policy: Policy) -> frozenset[str]:
    """The static virtual channels that `policy` lets open."""
    return frozenset(channel for kind, channel in CHANNELS.items() if getattr(policy, kind))
