"""The acts on a deployment: up, upgrade, rollback, restart, down. Whatever interrupts one, the next goes on from what
is written down."""

import getpass
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from lucid.base.clock import Clock
from lucid.base.errors import Conflict, InvalidInput, LucidError, NotFound, Unavailable
from lucid.base.ids import new_session_id
from lucid.catalog.keys import OPERATOR
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch import content, images
from lucid.deploy.launch.bringup import Bringup, Brought, Opener
from lucid.deploy.launch.condition import look
from lucid.deploy.launch.durable import write
from lucid.deploy.launch.engine import Command, Engine
from lucid.deploy.launch.lock import WAIT_S, locked
from lucid.deploy.launch.phases import PhaseFailed, Rules, start
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.progress import Show, Step
from lucid.deploy.launch.record import Act, History, Record, Unsaid
from lucid.deploy.launch.sets import ENVIRONMENT, Content, DeploymentSet, Sets, State
from lucid.ports.access import AuditEvent, Outcome

Check = Callable[[bool], Awaitable[None]]
"""Looks whether the machine is fit, once settings are open; told whether images were looked up by name. Raises
LucidError when it is not."""

_RETURNING = "returning"
"""A file with the number of the set that a rollback has brought up, until all that follows from it is written."""

_REASON_LENGTH = 300


@dataclass(frozen=True)
class Ended:
    """How an act ended. `wanted` is the set that it was about; `is_whole`: all phases of it run."""

    wanted: DeploymentSet | None
    brought: Brought
    seconds: float
    is_whole: bool = True

    @property
    def is_well(self) -> bool:
        return self.brought.failure is None


class Deployments:
    """One deployment on one engine. `lucid` is the version that acts."""

    def __init__(
        self,
        *,
        engine: Engine,
        place: Place,
        catalog: Catalog,
        opener: Opener,
        show: Show,
        clock: Clock,
        lucid: str,
        rules: Rules | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        self._engine = engine
        self._place = place
        self._catalog = catalog
        self._opener = opener
        self._show = show
        self._clock = clock
        self._lucid = lucid
        self._rules = rules or Rules()
        self._wait_s = wait_s
        self.sets = Sets(place.sets)
        self.history = History(place.history)
        self.unsaid = Unsaid(place.deploy_dir / "unsaid.jsonl")

    async def up(
        self,
        *,
        only: int | None = None,
        anew: bool = False,
        pull: bool = False,
        keep: bool = False,
        check: Check | None = None,
    ) -> Ended:
        """Bring up what is configured, all phases or `only` one; what runs as it should be is left alone. `anew`: with
        the images that the names stand for now. A set that does not get healthy is replaced by the one before; `keep`
        leaves it if there was none. Raises Unavailable, InvalidInput."""
        async with self._alone() as (bringup, engine):
            begun = time.monotonic()
            await bringup.open()
            if pull:
                await images.pull(engine, images.names(self._catalog, self._place.values(self._catalog)).values())
            current = self.sets.current()
            if check is not None:
                await check(anew or current is None)
            wanted = self._wanted(await content.wanted(engine, self._catalog, self._place, current, anew=anew), current)
            if only is not None:
                self._check_phase(wanted, only)
                await bringup.check_before(wanted, only)
            there = frozenset(one.id for one in (await look(engine, wanted.containers)).values())
            try:
                changed = await bringup.bring(wanted, only=only)
            except PhaseFailed as error:
                brought = await self._failed(bringup, error, wanted, current, keep, there)
                return self._ended(Act.FAILED, wanted, current, brought, begun)
            is_whole = only is None or await bringup.runs_whole(wanted)
            if not is_whole:
                return Ended(wanted, Brought(current, changed), time.monotonic() - begun, is_whole=False)
            if wanted == current:
                return self._ended(Act.COMPLETED, wanted, current, Brought(wanted, changed), begun)
            done = self.sets.change(wanted, State.COMPLETE)
            # Written down first: one who interrupts what follows does not keep it from the log.
            ended = self._ended(Act.COMPLETED, done, current, Brought(done, changed), begun)
            self.sets.make_current(done)
            if current is not None:
                await bringup.remove_others(done, current)
            await images.release(engine, self.sets.retire())
            return replace(ended, seconds=time.monotonic() - begun)

    async def rollback(self, to: int | None = None) -> Ended:
        """Bring an earlier set up again, exactly as it ran: the one before, or number `to`. Raises NotFound, Conflict,
        Unavailable."""
        async with self._alone() as (bringup, _):
            begun = time.monotonic()
            current = self.sets.current()
            wanted = self._earlier(current, to)
            await bringup.open(wanted)
            try:
                changed = await bringup.bring(wanted)
            except PhaseFailed as error:
                self._show(error.failure)
                brought = Brought(None, failure=error.failure)
                if current is not None:
                    brought = await bringup.put_back(current, wanted, error.failure)
                await bringup.open()
                return self._ended(Act.FAILED, wanted, current, brought, begun)
            except LucidError:
                await bringup.open()  # what runs must not be started again with the secrets of another set
                raise
            ended = self._ended(Act.ROLLED_BACK, wanted, current, Brought(wanted, changed), begun)
            write(self._place.sets / _RETURNING, f"{wanted.number}\n".encode())
            self._return()
            if current is not None:
                await bringup.remove_others(wanted, current)
            return replace(ended, seconds=time.monotonic() - begun)

    async def restart(self, name: str | None = None) -> Ended:
        """Restart one container, or all, phase by phase, and wait for their health. Raises NotFound, Unavailable."""
        async with self._alone() as (_, engine):
            begun = time.monotonic()
            current = self._running()
            if name is not None and name not in current.containers:
                raise NotFound(f"no container {name!r} in set {current.number}: `lucid deploy status` lists them")
            if not self._place.is_unlocked(self._catalog):
                raise Unavailable("secrets are locked away, so what is stopped cannot start: `lucid deploy unlock`")
            changed: tuple[str, ...] = ()
            for phase in current.phases:
                names = tuple(one for one in phase.containers if name in {None, one})
                if names:
                    command = Command(("restart", *names), limit_s=self._rules.limit_s)
                    part = phase.model_copy(update={"containers": names})
                    try:
                        changed += await start(engine, part, command, self._show, self._rules)
                    except PhaseFailed as error:
                        self._show(error.failure)
                        return Ended(current, Brought(None, changed, error.failure), time.monotonic() - begun)
            return Ended(current, Brought(current, changed), time.monotonic() - begun)

    async def down(self) -> Ended:
        """Stop and remove the containers, the last phase first. Data, sets and networks stay. Raises Unavailable."""
        async with self._alone() as (bringup, _):
            begun = time.monotonic()
            removed: tuple[str, ...] = ()
            every = self.sets.all()
            for one in [*every[-1:], *([current] if (current := self.sets.current()) else [])]:
                removed += await bringup.remove_all(one)
            return self._ended(Act.STOPPED, self.sets.current(), None, Brought(None, removed), begun)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[tuple[Bringup, Engine]]:
        async with locked(self._place.lock, wait_s=self._wait_s) as handle:
            engine = replace(self._engine, held=(handle,))
            self._return()
            yield (
                Bringup(
                    engine=engine,
                    place=self._place,
                    sets=self.sets,
                    opener=self._opener,
                    catalog=self._catalog,
                    show=self._show,
                    rules=self._rules,
                ),
                engine,
            )

    def _wanted(self, wanted: Content, current: DeploymentSet | None) -> DeploymentSet:
        """The current set if it is as wanted, or the one that was begun and interrupted, or a new one."""
        found = current if current is not None and current.configuration == wanted.configuration else None
        for one in self.sets.all():
            if one.state is State.WANTED:
                if found is None and one.configuration == wanted.configuration:
                    self._show(Step(f"going on with set {one.number}"))
                    found = one
                else:
                    self._show(Step(f"set {one.number}, which was interrupted, is given up"))
                    self.sets.change(one, State.FAILED, "interrupted")
        if found is not None:
            return found
        made = self.sets.create(wanted, time=self._clock.now(), lucid=self._lucid)
        self._show(Step(f"set {made.number}"))
        return made

    def _check_phase(self, wanted: DeploymentSet, number: int) -> None:
        if number not in {phase.number for phase in self._catalog.phases}:
            raise InvalidInput(f"--phase: expected one of 1 to {len(self._catalog.phases)}, not {number}")
        if number not in {phase.number for phase in wanted.phases}:
            self._show(Step(f"the catalog holds nothing of phase {number} yet"))

    async def _failed(
        self,
        bringup: Bringup,
        error: PhaseFailed,
        wanted: DeploymentSet,
        current: DeploymentSet | None,
        keep: bool,
        there: frozenset[str],
    ) -> Brought:
        failure = error.failure
        self._show(failure)
        if wanted == current:
            self._show(Step("this is the set that ran before: there is nothing to put back"))
            return Brought(None, failure=failure)
        self.sets.change(wanted, State.FAILED, failure.reason)
        if current is not None:
            return await bringup.put_back(current, wanted, failure)
        if keep:
            self._show(Step("what was started is left as it is"))
            return Brought(None, failure=failure)
        return await bringup.take_away(wanted, failure, there)

    def _earlier(self, current: DeploymentSet | None, to: int | None) -> DeploymentSet:
        if to is not None:
            wanted = self.sets.get(to)
            if wanted.state is not State.COMPLETE:
                raise Conflict(f"set {to} never ran as a whole: `lucid deploy history` lists what did")
            return wanted
        before = self.sets.before(current.number) if current is not None else None
        if before is None:
            raise NotFound("there is no set before: nothing to go back to")
        return before

    def _running(self) -> DeploymentSet:
        current = self.sets.current()
        if current is None:
            raise Unavailable("no set has run yet: `lucid deploy up`")
        return current

    def _return(self) -> None:
        """Finish a rollback whose set is up: it is the current one, with its environment files."""
        marker = self._place.sets / _RETURNING
        if not marker.exists():
            return
        one = self.sets.get(int(marker.read_text()))
        for path in (self.sets.folder(one.number) / ENVIRONMENT).iterdir():
            to = self._place.encrypted_dir / path.name
            owner = to.stat() if to.exists() else None
            write(to, path.read_bytes())
            if owner is not None:
                os.chown(to, owner.st_uid, owner.st_gid)
        self.sets.make_current(one)
        marker.unlink()

    def _ended(
        self, act: Act, wanted: DeploymentSet | None, before: DeploymentSet | None, brought: Brought, begun: float
    ) -> Ended:
        """The end of an act, written down if it changed something."""
        ended = Ended(wanted, brought, time.monotonic() - begun)
        if brought.changed or brought.failure or (wanted != before and act is not Act.STOPPED):
            self._write_down(act, before, ended)
        return ended

    def _write_down(self, act: Act, before: DeploymentSet | None, ended: Ended) -> None:
        failure = ended.brought.failure
        record = Record(
            time=self._clock.now(),
            act=act,
            set=ended.wanted.number if ended.wanted else 0,
            runs=ended.brought.runs.number if ended.brought.runs else 0,
            by=_operator(),
            lucid=self._lucid,
            seconds=round(ended.seconds, 1),
            changed=ended.brought.changed,
            reason=failure.reason[:_REASON_LENGTH] if failure else "",
        )
        self.unsaid.add(event_of(record, ended.wanted, before))
        self.history.add(record)


def event_of(record: Record, wanted: DeploymentSet | None, before: DeploymentSet | None) -> AuditEvent:
    """The act for the audit trail and the log: which set, with the digests of its configuration and images."""
    subject = {"set": str(record.set), "runs": str(record.runs), "by": record.by, "lucid": record.lucid}
    if before is not None:
        subject["before"] = str(before.number)
    if record.reason:
        subject["reason"] = record.reason
    if wanted is not None:
        subject["configuration"] = wanted.configuration
        subject |= {name: image.id for name, image in wanted.images.items()}
    return AuditEvent(
        id=new_session_id(),
        time=record.time,
        actor=OPERATOR,
        act=record.act,
        subject=subject,
        outcome=Outcome.FAILED if record.act is Act.FAILED else Outcome.DONE,
        accountable=True,
    )


def _operator() -> str:
    """The account of this machine that acts, through sudo or not."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"uid {os.getuid()}"
