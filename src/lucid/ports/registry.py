"""Where services are: a registry with health, in Consul's HTTP API. Offered by service-mesh or a Consul agent."""

from typing import Protocol

from pydantic import Field

from lucid.base.ids import Name
from lucid.base.value import Value


class Instance(Value):
    """One running process of a service. `id` is unique among all instances of all services. `proof` is what the
    service signs its registration with; the registry keeps it as it is."""

    service: Name
    id: str = Field(max_length=128)
    address: str = Field(max_length=253)
    port: int = Field(ge=1, le=65_535)
    version: str = ""
    proof: str = Field(default="", max_length=512)  # the longest metadata value that Consul takes

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"


class Healthy(Value):
    """The instances of a service whose checks pass. `index` rises with each change (Consul's X-Consul-Index)."""

    index: int
    instances: tuple[Instance, ...]


class Registry(Protocol):
    """Contract: tests/contract/test_registry.py."""

    async def register(self, *, instance: Instance, ttl_s: float) -> None:
        """Add or replace an instance; it passes until `ttl_s` seconds go by without `renew`. One that stays critical
        for long is removed. Raises Unavailable."""
        ...

    async def renew(self, *, id: str) -> None:
        """Say that the instance is well. Raises NotFound when the registry does not know it (any more): register
        again."""
        ...

    async def deregister(self, *, id: str) -> None:
        """Remove an instance; doing so twice is no error."""
        ...

    async def healthy(self, *, service: Name, index: int = 0, wait_s: float = 0.0) -> Healthy:
        """The instances that pass. With `index` it waits up to `wait_s` seconds for a state newer than that
        (a blocking query). Raises Unavailable."""
        ...

    async def services(self) -> list[Name]:
        """Names of all services that have an instance."""
        ...
