"""The operating system under the built-in desktop host: its Unix accounts and the processes of xrdp."""

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import Field

from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.ports.desktops import DesktopUser

Program = Literal["xrdp", "xrdp-sesman"]


class AccountUse(Value):
    """A Unix account and what its processes use: CPU seconds since each began, resident bytes (pages that processes
    share count in each)."""

    user: str
    processes: int = Field(ge=0)
    cpu_s: float
    memory_bytes: int


class Child(Protocol):
    """A started program, with the processes that it starts in its group."""

    @property
    def pid(self) -> int: ...

    @property
    def last_words(self) -> str:
        """The last line that it printed; empty while there is none."""
        ...

    async def wait(self) -> int:
        """Return its exit status once it has ended (negative: the signal that killed it)."""
        ...

    async def end(self) -> None:
        """Terminate it with its whole group, killed after two seconds; it may have ended already."""
        ...


class DesktopMachine(Protocol):
    """Unix accounts of desktops, and xrdp's programs. A driver, bound by the runtime; never spoken over HTTP. `group`
    is the Unix group that marks the accounts that are ours: no other account is ever touched. All calls may be
    repeated safely."""

    async def obstacle(self) -> str:
        """Why desktops cannot be hosted here, as a sentence; empty when they can."""
        ...

    async def prepare(self, *, group: str) -> str:
        """Make group and run folder, end what an earlier run left; return the folder. Programs and people can read
        it. Until `clear` the group belongs to this process. Raises Unavailable, also when it is another's."""
        ...

    async def write(self, *, folder: str, files: Mapping[str, tuple[str, int]]) -> None:
        """Write text files with their modes into the run folder."""
        ...

    async def clear(self, *, folder: str) -> None:
        """Remove the run folder and give the group up."""
        ...

    async def free_port(self) -> int:
        """A TCP port that is free now."""
        ...

    async def sesman_port(self) -> int:
        """The port that sesman has to be configured with here."""
        ...

    async def launch(self, *, program: Program, folder: str) -> Child:
        """Start a program with its settings in the run folder. It ends with this process. Raises Unavailable."""
        ...

    async def listens(self, *, program: Program, port: int) -> bool:
        """Whether the program accepts connections."""
        ...

    async def create_account(self, *, group: str, user: DesktopUser, home: str, skeleton: str) -> None:
        """Create the account with `home` as its home, a copy of `skeleton` unless it is there. Raises Conflict when
        the account exists and is not ours, Unavailable."""
        ...

    async def set_password(self, *, group: str, user: DesktopUser, password: Secret) -> None:
        """Raises NotFound, Unavailable."""
        ...

    async def remove_account(self, *, group: str, user: DesktopUser) -> None:
        """End all that runs under the account and remove it, its home and its temporary files."""
        ...

    async def renew_home(self, *, group: str, user: DesktopUser, skeleton: str) -> None:
        """End all that runs under the account and replace its home by a copy of `skeleton`. Raises NotFound."""
        ...

    async def end_processes(self, *, group: str, user: DesktopUser) -> bool:
        """End all that runs under the account; False when nothing did. Raises NotFound."""
        ...

    async def accounts(self, *, group: str) -> list[AccountUse]:
        """The accounts that are ours, by name."""
        ...
