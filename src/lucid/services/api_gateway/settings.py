"""Settings of the API gateway."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from lucid.base.settings import Settings


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


class ApiGatewaySettings(Settings):
    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="LUCID_API_GATEWAY_")

    public_host: str = Field(default="127.0.0.1", description="address to listen on for clients of the API")
    public_port: int = Field(default=8080, ge=0, le=65_535, description="port for clients of the API; 0: any free one")
    public_address: str = Field(default="", description="address that clients are told; empty: the public host")
    tls: Literal["auto", "on", "off"] = Field(
        default="auto", description="HTTPS; auto: unless the public host is of this machine only (loopback)"
    )
    tls_certificate: Path | None = Field(
        default=None, description="PEM file with certificate and chain; without it the gateway makes one of its own"
    )
    tls_key: Path | None = Field(default=None, description="PEM file with the certificate's private key")
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(), description="networks of proxies whose Forwarded or X-Forwarded-For is believed"
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="origins whose web pages may call the API from a browser, as https://host[:port]"
    )

    requests_per_minute_user: int = Field(default=1200, ge=1, description="requests of one user in 60 s")
    requests_per_minute_token: int = Field(default=600, ge=1, description="requests with one token in 60 s")
    requests_per_minute_address: int = Field(default=1200, ge=1, description="requests of one client address in 60 s")
    logins_per_minute_address: int = Field(
        default=20, ge=1, description="requests of one client address in 60 s that log in or otherwise need no token"
    )
    limits_timeout_ms: int = Field(
        default=200, ge=1, description="how long Redis may take to count before each gateway counts by itself for 1 s"
    )

    # Whoever reads a body keeps a note of each thing wrong in it, a hundred times its size; anybody can send one.
    body_limit_bytes: int = Field(default=65_536, ge=0, description="largest body of a request")
    header_limit_bytes: int = Field(default=16_384, ge=1024, description="largest head of a request: line and headers")
    header_timeout_s: float = Field(default=10.0, gt=0, description="how long the head of a request may take to come")
    connection_idle_s: float = Field(
        default=30.0, ge=1, description="how long a connection stays open between requests"
    )
    body_idle_s: float = Field(default=30.0, gt=0, description="how long a client may pause within a body")
    answer_timeout_s: float = Field(default=30.0, gt=0, description="how long a service may take to begin its answer")
    max_connections: int = Field(default=4096, ge=1, description="client connections at a time")
    websocket_message_bytes: int = Field(default=1_048_576, ge=1, description="largest WebSocket message")

    attempts: int = Field(
        default=3, ge=1, le=10, description="instances asked at most for one request, where it is safe"
    )
    breaker_failures: int = Field(
        default=5, ge=1, description="failures in a row after which an instance is not asked for a while"
    )
    breaker_open_s: float = Field(default=5.0, gt=0, description="how long that is, before one request tries it again")

    access_log: bool = Field(default=True, description="log each request when it is answered")
