"""The vocabulary of the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lucid.base.settings import Settings
from lucid.model.keykind import KeyKind

PI_NETWORK = "lucid-pi-network"
TRON_NETWORK = "lucid-tron-isolated"


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
class Password:
    """A secret that the containers of stores and services share, made by `lucid deploy init`. `name` is its file's
    name, `text` what the file holds, with `{name}` for another password: the address of a store holds its password.
    `given`: it is somebody else's, so it is not made but taken by `lucid deploy secret`; until then it is empty, and
    what it is for is off."""

    name: str
    about: str
    text: str = ""
    given: bool = False


@dataclass(frozen=True)
class Network:
    """A Docker network. `internal`: nothing in it reaches, or is reached from, outside of it. `host_binding`: ports
    may be published from it, by default on this address."""

    name: str
    subnet: str
    gateway: str
    purpose: str
    internal: bool = False
    host_binding: str = "0.0.0.0"  # noqa: S104 - as the spec of the deployment says; ports are published one by one


@dataclass(frozen=True)
class Phase:
    """A step of the deployment: what is started together, once the phase before is healthy."""

    number: int
    name: str
    title: str

    @property
    def compose_file(self) -> str:
        return f"configs/docker/docker-compose.{self.name}.yml"

    @property
    def environment_file(self) -> str:
        return f"configs/environment/.env.{self.name}"


@dataclass(frozen=True)
class Publish:
    """A port of a container that the host offers. `bind` is the environment variable that holds the host's address,
    `address` its default."""

    port: int
    about: str
    bind: str = "LUCID_BIND_PUBLIC"
    address: str = "0.0.0.0"  # noqa: S104 - a public port
    host_port: int | None = None


Recipe = Literal["python", "desktop", "gateway", "mongodb", "redis", "elasticsearch"]
"""How an image is built: `python` for all services that need nothing but Python."""


@dataclass(frozen=True)
class Container:
    """How a service or a store runs as a container, where that differs from what all share: user 65532, a read-only
    root, no capability, no shell. `exception` says why it differs. `after`: those that are started before it, in the
    order that the spec of the deployment wants, beyond what it needs. `command` replaces what the image starts, and
    `probe` the readiness check of Python services."""

    recipe: Recipe = "python"
    published: tuple[Publish, ...] = ()
    after: tuple[str, ...] = ()
    start_period_s: int = 40
    user: str = "65532:65532"
    read_only: bool = True
    capabilities: tuple[str, ...] = ()
    tmpfs: Mapping[str, int] = field(default_factory=lambda: {"/tmp": 16})  # noqa: S108 - MiB by folder
    environment: Mapping[str, str] = field(default_factory=dict)
    passwords: tuple[Password, ...] = ()
    command: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    data_dir: str = "/data"
    exception: str = ""


@dataclass(frozen=True)
class Resources:
    """What a container may use: memory in MiB, CPU cores, and processes with their threads."""

    memory_mib: int = 128
    cpus: float = 0.5
    pids: int = 128


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
    container: Container = field(default_factory=Container)


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
    container: Container = field(default_factory=Container)

    @property
    def environment_prefix(self) -> str:
        """What the service's environment variables begin with."""
        return self.settings.model_config.get("env_prefix", "")
