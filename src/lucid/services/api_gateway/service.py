"""The gateway as a service: its listener and certificate, and what it serves as services come and change."""

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Mapping
from typing import Any

import structlog

from lucid.access.verifying import AccessTokenVerifier
from lucid.base.clock import Clock
from lucid.base.errors import InvalidInput, NotFound, Unavailable
from lucid.crypto.certificate import fingerprint, self_signed, server_context
from lucid.ports.access import DoorEndpoint, Tokens
from lucid.ports.apicatalog import ApiCatalog
from lucid.ports.http import Listener, Listening, ListenLimits, Upstream
from lucid.ports.identity import Signer
from lucid.ports.registry import Registry
from lucid.ports.stores import Bus, Folder
from lucid.services.api_gateway.authentication import Authenticator
from lucid.services.api_gateway.discovery import Discovery
from lucid.services.api_gateway.document import Document, merged, operations_of
from lucid.services.api_gateway.door import Door, Published
from lucid.services.api_gateway.forwarding import Forwarder
from lucid.services.api_gateway.instances import Pool
from lucid.services.api_gateway.limits import Limits
from lucid.services.api_gateway.routing import Routes
from lucid.services.api_gateway.settings import ApiGatewaySettings
from lucid.services.api_gateway.streams import Streams
from lucid.services.api_gateway.websockets import WebSockets

CERTIFICATE = "tls.pem"
_log = structlog.get_logger()


class ApiGateway:
    """Offers the port Door, and serves the public API between start() and stop()."""

    def __init__(
        self,
        settings: ApiGatewaySettings,
        *,
        catalog: ApiCatalog,
        verifier: AccessTokenVerifier,
        tokens: Tokens,
        registry: Registry,
        bus: Bus,
        signer: Signer,
        folder: Folder,
        listener: Listener,
        upstream: Upstream,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._folder = folder
        self._listener = listener
        self._upstream = upstream
        self._documents: Mapping[str, Document] = {}
        names = {*catalog.prefixes, *(service for service, _ in catalog.published.values())}
        self._pools = pools = {
            name: Pool(name, clock, failures=settings.breaker_failures, open_s=settings.breaker_open_s)
            for name in sorted(names)
        }
        self._discovery = Discovery(
            pools, catalog.prefixes, self._learned, registry=registry, upstream=upstream, signer=signer
        )
        streams = Streams(clock)
        self._authenticator = Authenticator(verifier, streams, tokens=tokens, bus=bus, clock=clock)
        self._limits = Limits(bus, clock, timeout_s=settings.limits_timeout_ms / 1000)
        self._door = Door(
            self._published({}),
            settings,
            authenticator=self._authenticator,
            limits=self._limits,
            forwarder=Forwarder(pools, settings, streams, upstream=upstream, signer=signer),
            websockets=WebSockets(pools, settings, streams, upstream=upstream, signer=signer),
        )
        self._listening: Listening | None = None
        self._endpoint: DoorEndpoint | None = None

    async def start(self) -> None:
        """Listen. What is behind the door may come later. Raises InvalidInput for an address or a certificate that
        cannot be used."""
        settings = self._settings
        tls, certificate = await self._tls()
        self._listening = await self._listen(tls)
        address = settings.public_address or settings.public_host
        host = f"[{address}]" if ":" in address else address
        url = f"{'https' if tls else 'http'}://{host}:{self._listening.port}"
        self._endpoint = DoorEndpoint(url=url, fingerprint=certificate)
        await self._authenticator.start()
        await self._discovery.start()
        _log.info("listening for the API", url=url)

    async def _listen(self, tls: ssl.SSLContext | None) -> Listening:
        settings = self._settings
        limits = ListenLimits(
            header_bytes=settings.header_limit_bytes,
            head_s=settings.header_timeout_s,
            idle_s=settings.connection_idle_s,
            connections=settings.max_connections,
            message_bytes=settings.websocket_message_bytes,
        )
        try:
            return await self._listener.open(
                self._door, host=settings.public_host, port=settings.public_port, tls=tls, limits=limits
            )
        except InvalidInput as error:
            detail = f"{error.detail} (LUCID_API_GATEWAY_PUBLIC_PORT chooses another port)"
            raise InvalidInput(detail, field="public_port") from None

    async def stop(self) -> None:
        """Take no more requests, let those that run end within a second."""
        if self._listening is not None:
            await self._listening.close()
        await self._discovery.stop()
        await self._authenticator.stop()
        await self._limits.stop()
        await self._upstream.aclose()

    async def check(self) -> None:
        """Readiness. Raises Unavailable, or what ended a background task."""
        if self._listening is None:
            raise Unavailable("the door is closed")
        self._listening.check()
        self._discovery.check()
        self._authenticator.check()

    # The port Door.

    async def endpoint(self) -> DoorEndpoint:
        if self._endpoint is None:
            raise Unavailable("the gateway has not started")
        return self._endpoint

    async def document(self) -> dict[str, Any]:
        return merged(self._documents)

    # What it serves.

    def _learned(self, service: str, document: Document) -> None:
        if self._documents.get(service) != document:
            documents = {**self._documents, service: document}
            self._door.published = self._published(documents)
            self._documents = documents
            _log.info("routes changed", service=service)

    def _published(self, documents: Mapping[str, Document]) -> Published:
        operations = [
            operation
            for service, document in documents.items()
            for operation in operations_of(service, self._catalog.prefixes[service], document)
        ]
        routes = Routes(operations, expected=self._catalog.prefixes, published=self._catalog.published)
        return Published(routes, json.dumps(merged(documents), ensure_ascii=False).encode())

    # Its certificate.

    async def _tls(self) -> tuple[ssl.SSLContext | None, str]:
        """How it speaks TLS, and the certificate's fingerprint; none when it does not."""
        settings = self._settings
        if settings.tls_certificate is not None and settings.tls != "off":
            return await asyncio.to_thread(self._given)
        if settings.tls == "off" or (settings.tls == "auto" and _is_loopback(settings.public_host)):
            return None, ""
        certificate = await self._own()
        return server_context(certificate), fingerprint(certificate)

    def _given(self) -> tuple[ssl.SSLContext, str]:
        certificate = self._settings.tls_certificate
        assert certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            context.load_cert_chain(certificate, self._settings.tls_key)
            return context, fingerprint(certificate.read_bytes())
        except OSError as error:  # ssl.SSLError is one
            raise InvalidInput(f"{certificate}: {error.strerror or error}", field="tls_certificate") from None

    async def _own(self) -> bytes:
        """A self-signed certificate, made at the first start."""
        try:
            return await self._folder.read(CERTIFICATE)
        except NotFound:
            name = self._settings.public_address or self._settings.public_host
            certificate = await asyncio.to_thread(self_signed, name)
            await self._folder.write({CERTIFICATE: certificate})
            return certificate


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
