"""How containers are, as the engine tells it, and what follows from that while a phase starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lucid.deploy.compose import PROJECT
from lucid.deploy.launch.engine import Engine

_HAS_ENDED = frozenset({"exited", "dead"})


@dataclass(frozen=True)
class Condition:
    """A container. `status` and `health` are the engine's words (running, exited, …; healthy, unhealthy, starting, or
    nothing for a container without a probe); `said` is what its probe wrote last. Times are the engine's."""

    name: str
    id: str
    image: str
    status: str
    health: str = ""
    exit_status: int = 0
    restarts: int = 0
    started: str = ""
    said: str = ""
    error: str = ""
    out_of_memory: bool = False

    @property
    def is_ready(self) -> bool:
        return self.status == "running" and self.health in {"", "healthy"}

    @property
    def text(self) -> str:
        """For a person: `running, unhealthy`."""
        if self.status in _HAS_ENDED:
            memory = ", out of memory" if self.out_of_memory else ""
            return f"{self.status}, status {self.exit_status}{memory}"
        return f"{self.status}, {self.health}" if self.health else self.status


def condition(document: Mapping[str, Any]) -> Condition:
    """From a document of `docker inspect`."""
    state = document["State"]
    health = state.get("Health") or {}
    probes = health.get("Log") or ()
    return Condition(
        name=document["Name"].removeprefix("/"),
        id=document["Id"],
        image=document["Image"],
        status=state["Status"],
        health=health.get("Status", ""),
        exit_status=state["ExitCode"],
        restarts=document["RestartCount"],
        started=state["StartedAt"],
        said=probes[-1]["Output"].strip() if probes else "",
        error=state.get("Error", ""),
        out_of_memory=state.get("OOMKilled", False),
    )


async def look(engine: Engine, names: Iterable[str]) -> dict[str, Condition]:
    """Those of the containers that there are. Raises Unavailable."""
    wanted = tuple(names)
    found = [condition(document) for document in await engine.inspect("container", wanted)]
    return {one.name: one for one in found if one.name in wanted}


async def of_project(engine: Engine) -> dict[str, str]:
    """All containers of the platform's project, running or not, with the service that each is for."""
    form = '{"name": {{json .Names}}, "service": {{json (.Label "com.docker.compose.service")}}}'
    of_ours = f"label=com.docker.compose.project={PROJECT}"
    found = await engine.documents("ps", "--all", "--filter", of_ours, "--format", form)
    return {one["name"]: one["service"] for one in found}


def fault(now: Condition, before: Condition | None) -> str:
    """Why a container will not get ready any more, or nothing. What it was `before` the phase was started is not held
    against it."""
    begun = before is None or (now.id, now.started) != (before.id, before.started)
    already = before.restarts if before is not None and before.id == now.id else 0
    if now.status == "restarting" or now.restarts > already:
        return f"it ended with status {now.exit_status} and was started again"
    if not begun:
        return ""
    if now.status in _HAS_ENDED:
        return "it ran out of memory" if now.out_of_memory else f"it ended with status {now.exit_status}"
    if now.health == "unhealthy":
        return "its probe fails"
    return ""
