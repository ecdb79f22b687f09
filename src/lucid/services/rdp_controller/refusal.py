"""Why a client is turned away before its session begins."""

from enum import StrEnum


class Reason(StrEnum):
    """What is logged as the reason of "connection refused"."""

    TOO_MANY_CONNECTIONS = "too-many-connections"
    HANDSHAKE_TIMEOUT = "handshake-timeout"
    CLIENT_CLOSED = "client-closed"
    PROTOCOL_ERROR = "protocol-error"
    TLS_NOT_OFFERED = "tls-not-offered"
    NO_TICKET = "no-ticket"
    BAD_TICKET = "bad-ticket"
    TOO_MANY_BAD_TICKETS = "too-many-bad-tickets"
    HOST_UNKNOWN = "host-unknown"
    HOST_UNREACHABLE = "host-unreachable"
    HOST_WITHOUT_TLS = "host-without-tls"
    HOST_LOGIN = "host-login"
    HOST_CERTIFICATE = "host-certificate"
    NOT_RECORDED = "not-recorded"
    UNAVAILABLE = "unavailable"
    STOPPING = "stopping"


class Refused(Exception):
    """The client is turned away. `detail` is one sentence for the operator; it never holds a secret."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
