"""One container as Compose has it: what the catalog says, over what all containers share."""

from collections.abc import Mapping

from lucid.base.secret import Secret
from lucid.catalog.keys import private_keys
from lucid.catalog.passwords import ELASTICSEARCH_PASSWORD, MONGODB_URI, REDIS_URL
from lucid.catalog.types import Container, Password, Publish, Service
from lucid.deploy import variables
from lucid.deploy.catalog import Piece
from lucid.deploy.shared import ANY_ADDRESS, KEYS_DIR, LOGS_DIR, USUAL, bind
from lucid.deploy.yamltext import MERGE, Alias, Flow, Node, Noted
from lucid.ports.search import SearchIndex
from lucid.ports.stores import Bus, Documents

PASSWORDS_DIR = "/run/secrets"
ELASTICSEARCH_URL = "http://lucid-elasticsearch:9200"
CONSUL_URL = "http://service-mesh:8500"
MESH = "service-mesh"
LISTEN_FIELDS = ("listen_address", "public_host")
"""Settings fields that hold the address that a service's further ports listen on."""
ROOT = "0:0"
ADDRESS_FIELD = "public_address"
"""The settings field that holds the address of it that clients are told."""

_STORE_PASSWORDS = {Documents: MONGODB_URI, Bus: REDIS_URL, SearchIndex: ELASTICSEARCH_PASSWORD}


def container(piece: Piece, depends_on: Mapping[str, Node]) -> dict[str, Node]:
    """The entry of one container below `services:`, its keys in the order that dclint wants."""
    kind = piece.container
    entry: dict[str, Node] = {
        MERGE: Alias("container"),
        "image": variables.image(piece.name),
        "container_name": piece.name,
    }
    if depends_on:
        entry["depends_on"] = depends_on
    entry["volumes"] = _volumes(piece)
    if secrets := secrets_of(piece):
        entry["secrets"] = [_mounted(source, target) for source, target in secrets.items()]
    if told := told_of(piece):
        entry["environment"] = told
    if kind.published:
        entry["ports"] = [_published(piece, publish) for publish in kind.published]
    entry["networks"] = Flow(list(piece.networks))
    if command := command_of(piece):
        entry["command"] = Flow([literal(word) for word in command])
    return entry | {
        "healthcheck": own_health(kind),
        **exceptions(kind),
        "cpus": str(variables.cpus(piece)),
        "mem_limit": str(variables.memory(piece)),
        "memswap_limit": str(variables.memory(piece)),
        "pids_limit": piece.resources.pids,
        "tmpfs": [tmpfs(folder, mib, kind.user) for folder, mib in in_memory(piece).items()],
    }


def told_of(piece: Piece) -> dict[str, Node]:
    """The whole environment of a container."""
    if isinstance(piece, Service):
        return {MERGE: Alias("environment"), **environment(piece)}
    return {name: literal(value) for name, value in piece.container.environment.items()}


def command_of(piece: Piece) -> tuple[str, ...]:
    """What the image's entry point is given; empty: as the image says."""
    if piece.container.command or not isinstance(piece, Service):
        return piece.container.command
    return (piece.name,)


def environment(service: Service) -> dict[str, Node]:
    """The environment of a service beyond what all have. A variable without a value is passed on if the environment
    file sets it: those are the service's settings."""
    values: dict[str, Node] = {
        "LUCID_HTTP_PORT": str(service.port),
        "LUCID_ADVERTISE_ADDRESS": service.name,
    }
    if service.name != MESH:
        values["LUCID_CONSUL_URL"] = CONSUL_URL
    if Documents in service.needs:
        values["LUCID_MONGODB_URI_FILE"] = f"{PASSWORDS_DIR}/{MONGODB_URI.name}"
    if Bus in service.needs:
        values["LUCID_REDIS_URL_FILE"] = f"{PASSWORDS_DIR}/{REDIS_URL.name}"
    if SearchIndex in service.needs:
        values["LUCID_ELASTICSEARCH_URL"] = ELASTICSEARCH_URL
        values["LUCID_ELASTICSEARCH_USERNAME"] = "elastic"
        values["LUCID_ELASTICSEARCH_PASSWORD_FILE"] = f"{PASSWORDS_DIR}/{ELASTICSEARCH_PASSWORD.name}"
    values |= _listening(service)
    values |= {
        f"{_variable(service, _field(password))}_FILE": f"{PASSWORDS_DIR}/{password.name}"
        for password in service.container.passwords
    }
    values |= {name: literal(value) for name, value in service.container.environment.items()}
    return values | {name: None for name in settings_variables(service) if name not in values}


def settings_variables(service: Service) -> dict[str, str]:
    """The settings that an owner may change, as variable to field: neither secrets, nor keys, nor what the container
    fixes."""
    fixed = {*service.keys, *service.listens, *LISTEN_FIELDS, ADDRESS_FIELD}
    return {
        variable: name
        for name, field in service.settings.model_fields.items()
        if name not in fixed
        and field.annotation is not Secret
        and (variable := _variable(service, name)) not in service.container.environment
    }


def passwords_of(piece: Piece) -> tuple[Password, ...]:
    """The passwords that a container gets: its own, and of the stores that it needs."""
    needs = piece.needs if isinstance(piece, Service) else ()
    return (*piece.container.passwords, *(password for port, password in _STORE_PASSWORDS.items() if port in needs))


def secrets_of(piece: Piece) -> dict[str, str]:
    """The files below the secrets folder that a container gets, with where it finds them."""
    keys = private_keys(piece) if isinstance(piece, Service) else ()
    return {password.name: f"{PASSWORDS_DIR}/{password.name}" for password in passwords_of(piece)} | {
        f"keys/{key.name}": f"{KEYS_DIR}/{key.name}" for key in keys
    }


def secret_name(file: str) -> str:
    """The name of a secret in Compose, by its file below the secrets folder: `identity-api-gateway`."""
    return file.removeprefix("keys/").replace("identities/", "identity-")


def folders(piece: Piece) -> dict[str, str]:
    """Folders of the host that the container writes to, with where it finds them."""
    found = {f"{variables.LOGS_ROOT}/{piece.name}": LOGS_DIR}
    if not isinstance(piece, Service) or "data" in piece.volumes:
        inside = piece.container.data_dir
        # A service's folder is below its data folder, so that together the folders of the host are one data folder.
        target = f"{inside}/{piece.name}" if isinstance(piece, Service) else inside
        found = {f"{variables.DATA_ROOT}/{piece.name}": target, **found}
    return found


def in_memory(piece: Piece) -> dict[str, int]:
    """MiB by folder that the container has in memory. A service's data folder is one, for locks; below it may be the
    folder of the host."""
    kind = piece.container
    return dict(kind.tmpfs) | ({kind.data_dir: 1} if isinstance(piece, Service) else {})


def tmpfs(folder: str, mib: int, user: str) -> str:
    """A folder in memory from which nothing is started: of the container's user alone, unless that is root, which
    starts things for others."""
    uid, gid = user.split(":")
    of_root = "0711" if folder == USUAL.data_dir else "1777"
    mode = of_root if user == ROOT else "0700"
    return f"{folder}:rw,noexec,nosuid,nodev,size={mib}m,uid={uid},gid={gid},mode={mode}"


def literal(text: str) -> str:
    """`text` for Compose, which takes a $ for the beginning of a variable."""
    return text.replace("$", "$$")


def exceptions(kind: Container) -> dict[str, Node]:
    """Where the container differs from what all share; the first line says why."""
    entry: dict[str, Node] = {}
    if kind.user != USUAL.user:
        entry["user"] = kind.user
    if kind.read_only != USUAL.read_only:
        entry["read_only"] = kind.read_only
    if kind.capabilities:
        entry["cap_add"] = Flow(list(kind.capabilities))
    if kind.exception and entry:
        first = next(iter(entry))
        entry[first] = Noted(f"Exception: {kind.exception}.", entry[first])
    return entry


def _listening(service: Service) -> dict[str, Node]:
    addresses = dict.fromkeys(LISTEN_FIELDS, ANY_ADDRESS) | {ADDRESS_FIELD: str(variables.PUBLIC_ADDRESS)}
    known = {field: text for field, text in addresses.items() if field in service.settings.model_fields}
    ports = {field: str(port) for field, port in service.listens.items()}
    return {_variable(service, field): text for field, text in (ports | known).items()}


def _variable(service: Service, field: str) -> str:
    return f"{service.environment_prefix}{field}".upper()


def _field(password: Password) -> str:
    return password.name.replace("-", "_")


def _mounted(file: str, target: str) -> Node:
    name = secret_name(file)
    return name if target == f"{PASSWORDS_DIR}/{name}" else Flow({"source": name, "target": target})


def _volumes(piece: Piece) -> list[Node]:
    own: list[Node] = [bind(source, target) for source, target in folders(piece).items()]
    return [*own, Alias("public-keys")] if isinstance(piece, Service) else own


def _published(piece: Piece, publish: Publish) -> Node:
    return {
        "target": publish.port,
        "published": str(variables.host_port(piece, publish)),
        "host_ip": str(variables.host_address(publish)),
    }


def own_health(kind: Container) -> Node:
    own: dict[str, Node] = {}
    if kind.probe:
        own["test"] = Flow([literal(word) for word in kind.probe])
    if kind.start_period_s != USUAL.start_period_s:
        own["start_period"] = f"{kind.start_period_s}s"
    return {MERGE: Alias("healthcheck"), **own} if own else Alias("healthcheck")
