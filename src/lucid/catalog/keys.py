"""The keys of an installation."""

from lucid.catalog.types import Key, Private, Service

PLATFORM_IDENTITY = Key(
    "platform-identity",
    "age-identity",
    "opens the journals of running sessions; without it a crash loses the sessions that were open",
)
OWNER_IDENTITY = Key(
    "owner-identity",
    "age-identity",
    "opens every recording; keep a copy elsewhere, and take this one away if the platform must not play",
)
LOG_KEY = Key("log-key", "log-key", "signs the log; whoever has it can sign another log of the same name")
HOST_SEAL_KEY = Key("host-seal-key", "aead-key", "opens the stored passwords of the desktop hosts")
ACCOUNT_SEAL_KEY = Key(
    "account-seal-key",
    "aead-key",
    "opens the stored secrets of authenticator apps; without it all second factors have to be set up again",
)
METRICS_TOKEN = Key("metrics-token", "token", "reads /metrics of every service, as Prometheus does; nothing else")
NODE_KEY = Key("node-key", "log-key", "signs the heartbeats of this installation's own node")
MESH_TOKEN = Key("mesh-token", "token", "registers services and reads and writes the mesh's key-value store")

OPERATOR = "lucid-cli"
"""The identity that the command line calls services with; whoever has its key may do everything."""

KEYS = (
    PLATFORM_IDENTITY,
    OWNER_IDENTITY,
    LOG_KEY,
    HOST_SEAL_KEY,
    ACCOUNT_SEAL_KEY,
    METRICS_TOKEN,
    MESH_TOKEN,
    NODE_KEY,
)


def identity_key(caller: str) -> Key:
    """The key of a service, or of the operator, by which others know who calls them."""
    return Key(f"identities/{caller}", "identity-key", f"signs the calls of {caller}; whoever has it can act as that")


def private_keys(service: Service) -> tuple[Key, ...]:
    """The keys whose secret half the service needs when it runs alone: those of its literal, its own identity, and the
    tokens that every service has."""
    own = (source.key for source in service.keys.values() if isinstance(source, Private))
    return tuple(dict.fromkeys((*own, identity_key(service.name), METRICS_TOKEN, MESH_TOKEN)))
