"""Bringing a deployment set up, phase by phase; if it does not get healthy, the set before is put back."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from lucid.base.errors import LucidError, Unavailable
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch import images
from lucid.deploy.launch.condition import look
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.networks import make_networks
from lucid.deploy.launch.phases import PhaseFailed, Rules, make, remove, start, up
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.progress import Failure, Show, Step
from lucid.deploy.launch.sets import DeploymentSet, SetPhase, Sets

_log = structlog.get_logger()

Opener = Callable[[Place], Awaitable[None]]
"""Opens the environment files of a deployment folder, or of a set: settings and secrets into memory."""


@dataclass(frozen=True)
class Brought:
    """What became of it: the containers that were started, or the failure. `runs` is the set that runs now, if any
    does as a whole. `trouble`: why the set before could not be put back."""

    runs: DeploymentSet | None
    changed: tuple[str, ...] = ()
    failure: Failure | None = None
    trouble: str = ""


class Bringup:
    """Brings sets up on one engine, in the networks of the catalog."""

    def __init__(
        self,
        *,
        engine: Engine,
        place: Place,
        sets: Sets,
        opener: Opener,
        catalog: Catalog,
        show: Show,
        rules: Rules,
    ) -> None:
        self._engine = engine
        self._place = place
        self._sets = sets
        self._opener = opener
        self._catalog = catalog
        self._show = show
        self._rules = rules

    async def open(self, one: DeploymentSet | None = None) -> None:
        """Put the settings and secrets of a set into memory; without one, those of the deployment folder."""
        await self._opener(replace(self._place, deploy_dir=self._sets.folder(one.number)) if one else self._place)

    async def bring(self, wanted: DeploymentSet, *, only: int | None = None) -> tuple[str, ...]:
        """Start the phases of a set one after the other, or one of them, each when the one before is healthy; returns
        the containers that were started. Its environment is open. Raises PhaseFailed, Unavailable."""
        await images.hold(self._engine, wanted.images.values())
        await make_networks(self._engine, self._catalog.networks, self._show)
        changed: tuple[str, ...] = ()
        phases = [phase for phase in wanted.phases if only in {None, phase.number}]
        for phase, following in itertools.zip_longest(phases, phases[1:]):
            changed += await self._start(wanted, phase, following)
        return changed

    async def _start(self, wanted: DeploymentSet, phase: SetPhase, following: SetPhase | None) -> tuple[str, ...]:
        """While the phase gets healthy, the containers of the following one are made: that is half of what Compose
        takes."""
        has_begun = asyncio.Event()
        making = asyncio.create_task(self._make(wanted, following, has_begun), name="making what follows")
        command = up(*self._of(wanted), phase, self._rules.limit_s)
        try:
            changed = await start(self._engine, phase, command, self._show, self._rules, has_begun.set)
            await making
        finally:
            making.cancel()
            with contextlib.suppress(asyncio.CancelledError, Unavailable):
                await making
        return changed

    async def _make(self, wanted: DeploymentSet, phase: SetPhase | None, after: asyncio.Event) -> None:
        await after.wait()
        if phase is None or (await look(self._engine, phase.containers)).keys() >= set(phase.containers):
            return
        done = await self._engine.run(make(*self._of(wanted), phase, self._rules.limit_s))
        if done.status != 0:  # starting the phase meets the same, and tells it
            _log.debug("not made ahead", phase=phase.number, detail=done.reason)

    def _of(self, one: DeploymentSet) -> tuple[Path, tuple[Path, ...]]:
        return self._sets.folder(one.number), self._place.environment_files(self._catalog)

    async def runs_whole(self, one: DeploymentSet) -> bool:
        """Whether all of the set is healthy, each container with its image."""
        now = await look(self._engine, one.containers)
        return all(
            name in now and now[name].is_ready and now[name].image == one.images[name].id for name in one.containers
        )

    async def put_back(self, before: DeploymentSet, failed: DeploymentSet, failure: Failure) -> Brought:
        """After `failed` did not get healthy: what only it has goes, and the set before comes back."""
        self._show(Step(f"putting back set {before.number}"))
        begun = time.monotonic()
        try:
            await self.open(before)
            await self.remove_others(before, failed)
            changed = await self.bring(before)
        except PhaseFailed as error:
            self._show(error.failure)
            return Brought(None, failure=failure, trouble=error.failure.reason)
        except LucidError as error:
            return Brought(None, failure=failure, trouble=error.detail)
        self._show(Step(f"set {before.number} is back, and healthy, after {time.monotonic() - begun:.1f} s"))
        return Brought(before, changed, failure)

    async def take_away(self, failed: DeploymentSet, failure: Failure, there: frozenset[str]) -> Brought:
        """After the first set ever did not get healthy: what was started goes. `there`: the ids of containers that ran
        before; they stay."""
        now = await look(self._engine, failed.containers)
        started = {name for name, one in now.items() if one.id not in there}
        removed = await remove(self._engine, _groups(failed, started))
        self._show(Step(f"no set has run before: {len(removed)} containers are stopped and removed"))
        return Brought(None, failure=failure)

    async def remove_others(self, stays: DeploymentSet, goes: DeploymentSet) -> tuple[str, ...]:
        """Remove the containers of one set that another does not have."""
        return await remove(self._engine, _groups(goes, set(goes.containers) - set(stays.containers)))

    async def remove_all(self, one: DeploymentSet) -> tuple[str, ...]:
        """Stop and remove all containers of a set, the last phase first; returns those that there were."""
        return await remove(self._engine, _groups(one, set(one.containers)))

    async def check_before(self, one: DeploymentSet, only: int) -> None:
        """Raises Unavailable unless the phases before that one are healthy."""
        for phase in one.phases:
            if phase.number < only:
                now = await look(self._engine, phase.containers)
                for name in phase.containers:
                    if name not in now or not now[name].is_ready:
                        how = now[name].text if name in now else "not there"
                        raise Unavailable(f"phase {phase.number} is not healthy ({name}: {how}): bring it up first")


def _groups(one: DeploymentSet, names: set[str]) -> list[list[str]]:
    """Those of the containers by phase, the last phase first."""
    return [[name for name in phase.containers if name in names] for phase in reversed(one.phases)]
