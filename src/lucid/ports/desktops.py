"""Desktops of the built-in host, and looking at a host from outside."""

from enum import StrEnum
from typing import Protocol

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.host import Host, HostCredentials


class XrdpStatus(Value):
    """The supervised processes of the built-in host: whether each runs, how often it was restarted; CPU seconds and
    resident bytes of the host's sessions. `available` is False where xrdp is not installed or may not be run; `reason`
    says why."""

    available: bool
    reason: str = ""
    xrdp: bool = False
    sesman: bool = False
    restarts: int = 0
    sessions: int = 0
    cpu_s: float = 0.0
    memory_bytes: int = 0


class XrdpDesktop(Value):
    """A desktop as the built-in host knows it: its Unix account, and whether a session of it runs."""

    user: str
    running: bool
    cpu_s: float = 0.0
    memory_bytes: int = 0


class XrdpHost(Protocol):
    """The built-in desktop host: real xrdp, supervised. Offered by rdp-xrdp. Calls may be repeated safely."""

    async def status(self) -> XrdpStatus: ...

    async def endpoint(self) -> Host:
        """Where it listens, with its certificate pinned. Raises Unavailable while it does not run."""
        ...

    async def create_user(self, *, user: str, password: Secret) -> None:
        """Create the Unix account with a home, or set its password. Raises Unavailable."""
        ...

    async def remove_user(self, *, user: str) -> None:
        """End its session and remove account and home."""
        ...

    async def stop_session(self, *, user: str) -> bool:
        """End the user's desktop; False when none runs."""
        ...

    async def reset_user(self, *, user: str) -> None:
        """End its session and give it a fresh home. Raises NotFound."""
        ...

    async def desktops(self) -> list[XrdpDesktop]: ...


class DesktopState(StrEnum):
    """A desktop's state. `stopped`: nothing runs; connecting starts it."""

    CREATING = "creating"
    STOPPED = "stopped"
    RUNNING = "running"
    DELETING = "deleting"


class Desktop(Value):
    """A desktop that the platform provisioned; its host is registered under the same name."""

    name: Name
    owner: Name
    state: DesktopState
    created: Time


class Desktops(Protocol):
    """Provisioned desktops. Offered by rdp-server-manager."""

    async def create(self, *, name: Name, owner: Name) -> Desktop:
        """Create account, home and host entry. Raises Conflict for a taken name, Forbidden over the owner's quota."""
        ...

    async def list(self, *, owner: Name | None = None) -> list[Desktop]: ...

    async def stop(self, *, name: Name) -> Desktop: ...

    async def reset(self, *, name: Name) -> Desktop:
        """Stop it and give it a fresh home."""
        ...

    async def delete(self, *, name: Name) -> None:
        """Raises NotFound. Recordings stay."""
        ...


class ProbeResult(Value):
    """A synthetic connection. Times in milliseconds since the connection was begun; None where it did not get so far;
    `error` is a sentence then."""

    host: Name
    time: Time
    tcp_ms: float | None = None
    tls_ms: float | None = None
    login_ms: float | None = None
    first_frame_ms: float | None = None
    error: str = Field(default="", max_length=500)


class Prober(Protocol):
    """Connects to a host as a client would, waits for the first frame and leaves. A driver, bound by the runtime."""

    async def probe(self, *, host: Host, credentials: HostCredentials, limit_s: float = 20.0) -> ProbeResult: ...
