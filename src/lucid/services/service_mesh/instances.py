"""Registered instances and their checks: what /v1/agent, /v1/catalog and /v1/health tell."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

from lucid.base.clock import Clock
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.indexes import Indexes, Topic

Status = Literal["passing", "warning", "critical"]
WORST: Mapping[str, int] = {"passing": 0, "warning": 1, "critical": 2}
SERVICES: Topic = ("services",)
NODE_TOPIC: Topic = ("node",)
MAX_OUTPUT = 4096

_log = structlog.get_logger()


@dataclass(frozen=True)
class Probe:
    """How the mesh itself looks at something: `kind` http or tcp, an interval and a limit in seconds."""

    kind: Literal["http", "tcp"]
    target: str
    interval_s: float
    timeout_s: float
    method: str = "GET"
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    verify_tls: bool = True


@dataclass
class CheckState:
    """A check. With `ttl_s` somebody has to renew it before `deadline` (of the monotonic clock)."""

    id: str
    name: str
    service: str = ""
    status: Status = "critical"
    output: str = ""
    notes: str = ""
    ttl_s: float = 0.0
    probe: Probe | None = None
    forget_after_s: float = 0.0
    deadline: float = 0.0
    critical_since: float = 0.0
    create_index: int = 0
    modify_index: int = 0

    @property
    def type(self) -> str:
        return self.probe.kind if self.probe else "ttl" if self.ttl_s else ""


@dataclass
class InstanceState:
    """An instance of a service."""

    id: str
    service: str
    address: str
    port: int
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=lambda: {"Passing": 1, "Warning": 1})
    maintenance: str | None = None
    create_index: int = 0
    modify_index: int = 0


class Instances:
    """All instances and checks of the one agent. Everything happens in the event loop, at once."""

    def __init__(self, indexes: Indexes, clock: Clock, *, limit: int) -> None:
        self.services: dict[str, InstanceState] = {}
        self.checks: dict[str, CheckState] = {}
        self._of: dict[str, dict[str, CheckState]] = {}
        self._indexes = indexes
        self._clock = clock
        self._limit = limit
        self.probed: Callable[[CheckState], None] = lambda check: None
        """Told of each check that the mesh itself has to make."""
        self.fallen: Callable[[str], None] = lambda check: None
        """Told the id of each check that has become critical or is gone."""

    def register(self, instance: InstanceState, checks: list[CheckState], *, replace_checks: bool = False) -> None:
        """Add or replace an instance with its checks. Raises Refusal over the limit."""
        known = self.services.get(instance.id)
        fresh = [check for check in checks if check.id not in self.checks]
        if len(self.services) + len(self.checks) + len(fresh) + (known is None) > self._limit:
            raise Refusal(429, f"the limit of {self._limit} instances and checks is reached")
        if known is not None and known.service != instance.service:
            self._remove_checks(known.id)
            self._touch(known.service)
        if replace_checks:
            self._remove_checks(instance.id, keep={check.id for check in checks})
        index = self._touch(instance.service)
        instance.create_index = known.create_index if known else index
        instance.modify_index = index
        instance.maintenance = known.maintenance if known else None
        self.services[instance.id] = instance
        for check in checks:
            check.service = instance.id
            self.add_check(check)

    def deregister(self, id: str) -> bool:
        """Remove an instance and its checks; False when there was none."""
        if (known := self.services.pop(id, None)) is None:
            return False
        self._remove_checks(id)
        self._touch(known.service)
        if not self.of_service(known.service):
            self._indexes.drop(("service", known.service))
        return True

    def add_check(self, check: CheckState) -> None:
        """Add or replace a check. Raises Refusal for one of a service that is not there, and over the limit."""
        if check.service and check.service not in self.services:
            raise bad(f'ServiceID "{check.service}" does not exist')
        known = self.checks.get(check.id)
        if known is None and len(self.services) + len(self.checks) >= self._limit:
            raise Refusal(429, f"the limit of {self._limit} instances and checks is reached")
        now = self._clock.monotonic()
        if known is not None and (known.ttl_s, known.type) == (check.ttl_s, check.type):
            check.status, check.output = known.status, known.output  # registered again, it is as well as it was
        check.deadline = now + check.ttl_s
        check.critical_since = known.critical_since if known and known.status == check.status else now
        check.create_index = known.create_index if known else self._indexes.next()
        check.modify_index = self._touch_check(check)
        if known is not None:
            self._drop_check(known)
        self.checks[check.id] = self._of.setdefault(check.service, {})[check.id] = check
        if check.probe is not None:
            self.probed(check)

    def remove_check(self, id: str) -> bool:
        if (known := self.checks.get(id)) is None:
            return False
        self._drop_check(known)
        self._touch_check(known)
        self.fallen(id)
        return True

    def _drop_check(self, check: CheckState) -> None:
        del self.checks[check.id], self._of[check.service][check.id]
        if not self._of[check.service]:
            del self._of[check.service]

    def _remove_checks(self, service_id: str, keep: set[str] | None = None) -> None:
        for check in list(self._of.get(service_id, {}).values()):
            if check.id not in (keep or set()):
                self._drop_check(check)
                self.fallen(check.id)

    def update(self, id: str, status: Status, output: str) -> None:
        """A check's new status. Raises Refusal (404) for one that is not there."""
        if (check := self.checks.get(id)) is None:
            raise Refusal(404, f'Unknown check ID "{id}". Ensure that the check ID is passed, not the check name.')
        now = self._clock.monotonic()
        check.deadline = now + check.ttl_s
        output = output[:MAX_OUTPUT]
        if check.status == status and (check.output == output or status == "passing"):
            check.output = output
            return  # nobody is woken by a renewal
        if check.status != status:
            check.critical_since = now
            if check.service:
                _log.info("check", instance=check.service, check=id, status=status)
        check.status, check.output = status, output
        check.modify_index = self._touch_check(check)
        if status == "critical":
            self.fallen(id)

    def set_maintenance(self, id: str, reason: str | None) -> None:
        """Take an instance out of service for a reason, or (None) back. Raises Refusal (404)."""
        if (known := self.services.get(id)) is None:
            raise Refusal(404, f'Unknown service ID "{id}"')
        known.maintenance = reason
        known.modify_index = self._touch(known.service)

    def expire(self) -> float:
        """Turn checks whose time is over critical, and remove instances that have been critical for too long. The
        seconds until the next one's time is over."""
        now = self._clock.monotonic()
        left_s = math.inf
        for check in list(self.checks.values()):
            if check.id not in self.checks:
                continue  # it went with its instance
            if check.ttl_s and check.status != "critical" and now >= check.deadline:
                self.update(check.id, "critical", "TTL expired")
            elif check.ttl_s and check.status != "critical":
                left_s = min(left_s, check.deadline - now)
            forget_after_s = check.forget_after_s if check.service and check.status == "critical" else 0.0
            if forget_after_s and now - check.critical_since > forget_after_s:
                _log.info("instance forgotten", instance=check.service, check=check.id)
                self.deregister(check.service)
        return left_s

    def of_service(self, name: str) -> list[InstanceState]:
        return sorted((s for s in self.services.values() if s.service == name), key=lambda s: s.id)

    def checks_of(self, instance: InstanceState) -> Iterator[CheckState]:
        """The instance's own checks; maintenance is one more, which is critical."""
        yield from self._of.get(instance.id, {}).values()
        if instance.maintenance is not None:
            yield CheckState(
                id=f"_service_maintenance:{instance.id}",
                name="Service Maintenance Mode",
                service=instance.id,
                output=instance.maintenance or "Maintenance mode is enabled for this service",
                create_index=instance.modify_index,
                modify_index=instance.modify_index,
            )

    def node_checks(self) -> Iterator[CheckState]:
        """Checks of the node, on which all instances hang."""
        return iter(self._of.get("", {}).values())

    def status_of(self, instance: InstanceState) -> str:
        """The worst of its checks and the node's; without any it passes."""
        checks = itertools.chain(self.checks_of(instance), self.node_checks())
        return max((check.status for check in checks), key=WORST.__getitem__, default="passing")

    def _touch(self, service: str) -> int:
        return self._indexes.touch(("service", service), SERVICES, NODE_TOPIC)

    def _touch_check(self, check: CheckState) -> int:
        if check.service:
            named = {known.service for known in (self.services.get(check.service),) if known}
        else:
            named = {known.service for known in self.services.values()}
        return self._indexes.touch(NODE_TOPIC, *(("service", name) for name in named))
