"""Desktops of the built-in host, and looking at a host from outside."""

from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field, StringConstraints

from lucid.base.clock import Time
from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.host import Host, HostCredentials

USER_PREFIX = "lucid-"
DesktopUser = Annotated[str, StringConstraints(pattern=r"^lucid-[a-z0-9][a-z0-9-]{0,24}$")]
"""The Unix account of a desktop: the prefix keeps it apart from the accounts of people and of the system."""


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
    """A desktop as the built-in host knows it: its Unix account, whether anything runs under it, and what that uses
    (CPU seconds of the processes that live, resident bytes)."""

    user: DesktopUser
    running: bool
    cpu_s: float = 0.0
    memory_bytes: int = 0


class XrdpHost(Protocol):
    """The built-in desktop host: real xrdp, supervised. Offered by rdp-xrdp. Calls may be repeated safely."""

    async def status(self) -> XrdpStatus: ...

    async def endpoint(self) -> Host:
        """Where it listens, with its certificate pinned. Raises Unavailable while it does not run."""
        ...

    async def create_user(self, *, user: DesktopUser, password: Secret) -> None:
        """Create the Unix account with a home, or set its password. Raises Unavailable."""
        ...

    async def remove_user(self, *, user: DesktopUser) -> None:
        """End its session and remove account and home."""
        ...

    async def stop_session(self, *, user: DesktopUser) -> bool:
        """End the user's desktop; False when none runs. Raises NotFound."""
        ...

    async def reset_user(self, *, user: DesktopUser) -> None:
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
    """A desktop that the platform provisioned; its host is registered under the same name. `account` is its Unix
    account on the built-in host."""

    name: Name
    owner: Name
    account: DesktopUser
    state: DesktopState
    created: Time


MAX_DESKTOPS = 1000
"""Of one owner."""


class DesktopQuota(Value):
    """How many desktops somebody may have. `own`: set for this person, not the installation's default."""

    owner: Name
    limit: int = Field(ge=0, le=MAX_DESKTOPS)
    own: bool


class Desktops(Protocol):
    """Provisioned desktops. Offered by rdp-server-manager. `actor` is who does it, for the audit trail; None: the
    operator. Raise Unavailable where the built-in host does not work; what was begun then is undone, or finished
    later."""

    async def create(self, *, name: Name, owner: Name, actor: Name | None = None) -> Desktop:
        """Create account, home and host entry. Raises Conflict for a taken name, Forbidden over the owner's quota."""
        ...

    async def get(self, *, name: Name) -> Desktop:
        """Raises NotFound."""
        ...

    async def list(self, *, owner: Name | None = None) -> list[Desktop]:
        """Desktops by name, of `owner` or all."""
        ...

    async def stop(self, *, name: Name, actor: Name | None = None) -> Desktop:
        """End what runs there. Raises NotFound."""
        ...

    async def reset(self, *, name: Name, actor: Name | None = None) -> Desktop:
        """Stop it and give it a fresh home. Raises NotFound."""
        ...

    async def delete(self, *, name: Name, actor: Name | None = None) -> None:
        """Raises NotFound. Recordings stay."""
        ...

    async def quota(self, *, owner: Name) -> DesktopQuota: ...

    async def set_quota(self, *, owner: Name, limit: int | None, actor: Name | None = None) -> DesktopQuota:
        """Set how many desktops `owner` may have; None: as many as the installation's default."""
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

    async def probe(self, *, host: Host, credentials: HostCredentials, limit_s: float = 20.0) -> ProbeResult:
        """Never raises for what a host does: the result says it."""
        ...
