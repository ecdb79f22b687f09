"""The one place from which a container engine is spoken to: its command line, here or on another machine."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lucid.base.errors import Unavailable

COMMAND = "LUCID_DOCKER"
"""The environment variable that names the engine's command, if it is not the first `docker` that has Compose."""

ANSWER_LIMIT_S = 30.0
_OURS = ("LUCID_", "COMPOSE_")
"""What variables begin with that Compose takes from its environment before it looks into environment files. A
deployment is configured by its files alone."""

_LINE_BYTES = 1 << 20
_USUAL = ("/usr/bin/docker", "/usr/local/bin/docker")
_SOCKETS = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")
_MISSING = re.compile(r"no such|not found", re.IGNORECASE)


@dataclass(frozen=True)
class Command:
    """What is to be run: arguments after the engine's command, never with a secret among them. `environment` is added
    to the process's own, `given` is its standard input. `limit_s` is the time after which it is given up."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    limit_s: float = ANSWER_LIMIT_S
    given: bytes = b""


@dataclass(frozen=True)
class Done:
    """What a command ended with."""

    status: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """The last line that it said of a failure."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"exit status {self.status}"


@dataclass(frozen=True)
class Engine:
    """A container engine. `where` are options that choose another than this machine's: `--context NAME` or `--host
    ssh://…`. `held` are files that its commands hold open too: a lock on one of them ends with the last command."""

    docker: str
    where: tuple[str, ...] = ()
    held: tuple[int, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether it is this machine's own: that of Docker's usual socket."""
        host, context = os.environ.get("DOCKER_HOST", ""), os.environ.get("DOCKER_CONTEXT", "")
        return not self.where and host in {"", *_SOCKETS} and context in {"", "default"}

    async def run(self, command: Command) -> Done:
        """Run it to its end. Raises Unavailable when the command is not there or takes too long."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(self.docker, *self.where, *command.arguments),
                stdin=asyncio.subprocess.PIPE if command.given else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(command),
                pass_fds=self.held,
            )
        except OSError as error:
            raise Unavailable(f"{self.docker}: {error.strerror}") from None
        try:
            async with asyncio.timeout(command.limit_s):
                out, err = await process.communicate(command.given or None)
        except TimeoutError:
            raise Unavailable(f"{self.shown(command)}: no end within {command.limit_s:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    async def lines(self, command: Command) -> AsyncIterator[str]:
        """What it writes on both streams, line by line, however long that takes. A line of over a MiB comes without
        its beginning. Raises Unavailable when it fails."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(self.docker, *self.where, *command.arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=_environment(command),
                limit=_LINE_BYTES,
            )
        except OSError as error:
            raise Unavailable(f"{self.docker}: {error.strerror}") from None
        assert process.stdout is not None
        line = ""
        try:
            while data := await _line(process.stdout):
                line = data.decode(errors="replace").rstrip("\n")
                yield line
            if (status := await process.wait()) != 0:
                raise Unavailable(f"{self.shown(command)}: {line or f'exit status {status}'}")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def text(self, *arguments: str, limit_s: float = ANSWER_LIMIT_S) -> str:
        """What the command writes. Raises Unavailable when it fails."""
        command = Command(arguments, limit_s=limit_s)
        done = await self.run(command)
        if done.status != 0:
            raise Unavailable(f"{self.shown(command)}: {done.reason}")
        return done.out

    async def documents(self, *arguments: str) -> list[Any]:
        """What `inspect` and the like write: JSON, or one JSON document a line. Raises Unavailable."""
        return self.parsed(Done(0, await self.text(*arguments), ""), " ".join(arguments))

    async def inspect(self, kind: str, names: Sequence[str]) -> list[Any]:
        """What is known of those of the names that there are; `kind` is `container`, `image` or `network`. Raises
        Unavailable unless each is told or said to be missing: an engine that does not answer has not lost them all."""
        if not names:
            return []
        done = await self.run(Command((kind, "inspect", *names)))
        found = self.parsed(done, f"{kind} inspect")
        missing = [line for line in done.err.splitlines() if _MISSING.search(line)]
        if len(found) + len(missing) < len(names):
            raise Unavailable(f"docker {kind} inspect: {done.reason}")
        return found

    def parsed(self, done: Done, what: str) -> list[Any]:
        """The documents in what a command wrote, also one that did not find everything. Raises Unavailable."""
        text = done.out.strip()
        try:
            return list(json.loads(text)) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
        except ValueError:
            raise Unavailable(f"{self.docker} {what}: answer not understood") from None

    def shown(self, command: Command) -> str:
        """The command as one would type it."""
        return " ".join(("docker", *self.where, *command.arguments))


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; nothing at the end. The stream drops what it had of one that is longer than its limit."""
    while True:
        try:
            return await stream.readline()
        except ValueError:
            continue


def _environment(command: Command) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, **command.environment}


async def find_engine(where: Sequence[str] = ()) -> Engine:
    """The engine's command that has Compose; another of the name may come first on PATH. Raises Unavailable."""
    named = os.environ.get(COMMAND)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    for docker in dict.fromkeys((named,) if named else (*(f"{folder}/docker" for folder in folders), *_USUAL)):
        if shutil.which(docker):
            engine = Engine(docker, tuple(where))
            if (await engine.run(Command(("compose", "version")))).status == 0:
                return engine
    raise Unavailable(
        f"{named}: no docker command with Compose"
        if named
        else "no docker command with Compose: see docs/deployment.md"
    )
