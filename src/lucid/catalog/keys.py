"""The keys of an installation."""

from lucid.catalog.types import Key

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
SERVICE_TOKEN = Key("service-token", "token", "services show it to each other, and the command line to services")

KEYS = (PLATFORM_IDENTITY, OWNER_IDENTITY, LOG_KEY, HOST_SEAL_KEY, SERVICE_TOKEN)
