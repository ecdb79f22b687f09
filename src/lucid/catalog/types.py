"""The vocabulary of the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lucid.base.settings import Settings

PI_NETWORK = "lucid-pi-network"

KeyKind = Literal["age-identity", "log-key", "aead-key", "token", "identity-key"]


@dataclass(frozen=True)
class Key:
    """A secret of the installation, created at the first start. `about` says what losing or leaking it means."""

    name: str
    kind: KeyKind
    about: str


@dataclass(frozen=True)
class Private:
    """A settings field that takes the secret half of a key. `optional`: it stays empty when that half was taken
    away."""

    key: Key
    optional: bool = False


@dataclass(frozen=True)
class Public:
    """A settings field that takes the public half: an age recipient, or the log's verifier key."""

    key: Key


@dataclass(frozen=True)
class Resources:
    """What a container may use: memory in MiB and CPU cores."""

    memory_mib: int = 128
    cpus: float = 0.5


@dataclass(frozen=True)
class Store:
    """A store that the services share: a container in production, embedded on a laptop."""

    name: str
    summary: str
    phase: int
    port: int
    embedded_port: int
    provides: type
    embedded: str
    resources: Resources = field(default_factory=Resources)
    networks: tuple[str, ...] = (PI_NETWORK,)


@dataclass(frozen=True)
class Service:
    """One service. `entry` is `module:function` of its create(). `needs` and `provides` are ports; stores are
    needed by their port. `port` is the HTTP port inside its container, `embedded_port` one that is unique
    when all services share a host; `listens` are further ports by the settings field that holds them.
    `embedded` overrides settings when everything runs in one process. `api` are the prefixes of the public API, below
    /api/v1, that are this service's. `public_routes`: its own routes are served without a token; `published` are those
    that the api-gateway serves too, as public path to path here (one that ends in `/` is everything below it)."""

    name: str
    summary: str
    phase: int
    port: int
    embedded_port: int
    entry: str
    settings: type[Settings]
    needs: tuple[type, ...] = ()
    provides: tuple[type, ...] = ()
    keys: Mapping[str, Private | Public] = field(default_factory=dict)
    listens: Mapping[str, int] = field(default_factory=dict)
    embedded: Mapping[str, int | str] = field(default_factory=dict)
    api: tuple[str, ...] = ()
    public_routes: bool = False
    published: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ("data",)
    networks: tuple[str, ...] = (PI_NETWORK,)
    resources: Resources = field(default_factory=Resources)

    @property
    def environment_prefix(self) -> str:
        """What the service's environment variables begin with."""
        return self.settings.model_config.get("env_prefix", "")
