"""Looking at a deployment: what the engine says of it, and programs run in its containers and beside them."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lucid.base.errors import Unavailable
from lucid.deploy.images.sheet import USER
from lucid.deploy.launch.checks import Document, Seen
from lucid.deploy.launch.engine import Command, Done, Engine
from lucid.deploy.launch.probes import program

AT_ONCE = 6
"""Programs that run in containers at the same time: each is a Python that starts."""
LOG_LINES = 20_000
SECRETS = "/secrets"
_SHELL = ("sh", "-c", "echo test")
_LIMIT_S = 20.0


async def seen(engine: Engine, documents: Iterable[Document]) -> tuple[dict[str, Seen], dict[str, str]]:
    """The containers by name, and why the program could not run in those where it could not."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def look(document: Document) -> tuple[Seen, str]:
        name = document["Name"].removeprefix("/")
        async with slots:
            inside = await _in(engine, name, program("container"))
            shell = await _in(engine, name, _SHELL)
        found = Seen(document, answer(inside.out), (shell.status, shell.err or shell.out))
        return found, "" if found.inside else inside.reason

    documents = list(documents)
    looked = await asyncio.gather(*(look(document) for document in documents))
    names = [document["Name"].removeprefix("/") for document in documents]
    return (
        {name: each for name, (each, _) in zip(names, looked, strict=True)},
        {name: why for name, (_, why) in zip(names, looked, strict=True) if why},
    )


async def _in(engine: Engine, name: str, command: Sequence[str]) -> Done:
    """What became of a program in a container; one that does not end is one that failed."""
    try:
        return await engine.run(Command(("exec", name, *command), limit_s=_LIMIT_S))
    except Unavailable as error:
        return Done(1, "", error.detail)


async def logs(engine: Engine, names: Iterable[str]) -> dict[str, str]:
    """The newest lines that each container wrote. Raises Unavailable."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def read(name: str) -> str:
        async with slots:
            done = await engine.run(Command(("logs", "--tail", str(LOG_LINES), name), limit_s=_LIMIT_S))
        if done.status != 0:
            raise Unavailable(f"docker logs {name}: {done.reason}")
        return done.out + done.err

    names = list(names)
    return dict(zip(names, await asyncio.gather(*map(read, names)), strict=True))


async def from_network(
    engine: Engine, image: str, network: str, places: Sequence[tuple[str, int]], names: Sequence[str]
) -> Document:
    """What a stranger on the network reaches and knows: see probes/network.py. Raises Unavailable."""
    arguments = json.dumps([[list(place) for place in places], list(names)])
    return await _beside(engine, image, ("--network", network, "--user", USER), program("network", arguments))


async def leaks(engine: Engine, image: str, secrets_dir: str, texts: Mapping[str, str]) -> Document:
    """Which secrets stand in which texts: see probes/secrets.py. The container that compares them has the secrets, of
    the machine that the engine runs on, and no network. Raises Unavailable."""
    options = (
        *("--network", "none", "--user", "0:0", "--cap-add", "DAC_READ_SEARCH", "--interactive"),
        *("--mount", f"type=bind,source={secrets_dir},target={SECRETS},readonly"),
    )
    given = json.dumps(texts).encode()
    return await _beside(engine, image, options, program("secrets", SECRETS), given)


async def _beside(
    engine: Engine, image: str, options: Sequence[str], command: Sequence[str], given: bytes = b""
) -> Document:
    """Run a program in a container of its own, which is gone afterwards. Raises Unavailable when it does not answer."""
    if not image:
        raise Unavailable("no service runs from whose image one could look")
    hardened = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--log-driver", "none")
    first, *others = command
    arguments = ("run", "--rm", "--pull", "never", *hardened, *options, "--entrypoint", first, image, *others)
    done = await engine.run(Command(arguments, limit_s=_LIMIT_S, given=given))
    if done.status != 0 or not (found := answer(done.out)):
        raise Unavailable(f"a container to look from could not run: {done.reason}")
    return found


def answer(text: str) -> dict[str, Any]:
    """The document that a program printed; empty when it printed none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
