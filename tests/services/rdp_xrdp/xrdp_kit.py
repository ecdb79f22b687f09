"""A machine in memory: its accounts, and programs that run until they are killed."""

import asyncio
from collections.abc import Mapping

from lucid.base.errors import NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.ports.machine import AccountUse, Program

SESMAN_PORT = 4711


class FakeChild:
    """A program; `kill` ends it as a signal would."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.last_words = f"I am {pid}"
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def kill(self, status: int = -9) -> None:
        if not self.ended.done():
            self.ended.set_result(status)

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    async def end(self) -> None:
        self.kill(-15)


class FakeMachine:
    """`obstacle_text` makes it unfit, `deaf` programs accept no connections, `refuse` cannot be launched."""

    def __init__(self) -> None:
        self.obstacle_text = ""
        self.deaf: set[Program] = set()
        self.refuse: set[Program] = set()
        self.launched: list[tuple[Program, FakeChild]] = []
        self.files: dict[str, tuple[str, int]] = {}
        self.cleared = False
        self.passwords: dict[str, Secret] = {}
        self.homes: dict[str, int] = {}
        self.running: set[str] = set()

    def running_program(self, program: Program) -> FakeChild | None:
        """The newest child of the program, if it has not ended."""
        children = [child for name, child in self.launched if name == program]
        return children[-1] if children and not children[-1].ended.done() else None

    async def obstacle(self) -> str:
        return self.obstacle_text

    async def prepare(self, *, group: str) -> str:
        return f"/run/{group}"

    async def write(self, *, folder: str, files: Mapping[str, tuple[str, int]]) -> None:
        self.files = dict(files)

    async def clear(self, *, folder: str) -> None:
        self.cleared = True

    async def free_port(self) -> int:
        return 4000

    async def sesman_port(self) -> int:
        return SESMAN_PORT

    async def launch(self, *, program: Program, folder: str) -> FakeChild:
        if program in self.refuse:
            raise Unavailable(f"{program} is not installed")
        child = FakeChild(len(self.launched) + 1)
        self.launched.append((program, child))
        return child

    async def listens(self, *, program: Program, port: int) -> bool:
        return program not in self.deaf and self.running_program(program) is not None

    async def create_account(self, *, group: str, user: str, home: str, skeleton: str) -> None:
        self.homes.setdefault(user, 1)

    async def set_password(self, *, group: str, user: str, password: Secret) -> None:
        self.passwords[user] = password

    async def remove_account(self, *, group: str, user: str) -> None:
        self.running.discard(user)
        self.homes.pop(user, None)

    async def renew_home(self, *, group: str, user: str, skeleton: str) -> None:
        self._known(user)
        self.running.discard(user)
        self.homes[user] += 1

    async def end_processes(self, *, group: str, user: str) -> bool:
        self._known(user)
        was = user in self.running
        self.running.discard(user)
        return was

    async def accounts(self, *, group: str) -> list[AccountUse]:
        return [
            AccountUse(user=user, processes=3 if user in self.running else 0, cpu_s=1.5, memory_bytes=1000)
            for user in sorted(self.homes)
        ]

    def _known(self, user: str) -> None:
        if user not in self.homes:
            raise NotFound(f"no account {user}")
