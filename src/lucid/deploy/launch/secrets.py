"""The secrets of a deployment: made once, at rest as variables of the encrypted environment files, and files in memory
while it is unlocked."""

import secrets
from collections.abc import Iterable, Mapping
from string import Formatter

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.catalog.keys import KEYS, OPERATOR, identity_key
from lucid.catalog.types import Key, Password, Phase
from lucid.crypto.keymaking import make_key, public_half
from lucid.deploy.catalog import Catalog
from lucid.deploy.container import passwords_of, secrets_of
from lucid.deploy.environment import quoted

PREFIX = "LUCID_SECRET_"
PASSWORD_BYTES = 24


def variable_of(file: str) -> str:
    """The variable that holds the secret of a file below the secrets folder."""
    return PREFIX + file.upper().replace("/", "_").replace("-", "_")


def keys_of(catalog: Catalog) -> tuple[Key, ...]:
    """All keys of a deployment: those of the installation, and the identities of its services and of the operator."""
    names = (*(service.name for service in catalog.services), OPERATOR)
    return (*KEYS, *(identity_key(name) for name in names))


def key_file(key: Key) -> str:
    """Where the private half of a key is below the secrets folder."""
    return f"keys/{key.name}"


def passwords(catalog: Catalog) -> tuple[Password, ...]:
    """All passwords of a deployment, those that others are composed of first."""
    found = dict.fromkeys(password for piece in catalog.pieces for password in passwords_of(piece))
    return tuple(sorted(found, key=lambda password: bool(password.text)))


def make_secrets(catalog: Catalog) -> dict[str, Secret]:
    """New secrets by their file, without those that are composed of others; those that are given are empty."""
    made = {key_file(key): make_key(key.kind) for key in keys_of(catalog)}
    own = [password for password in passwords(catalog) if not password.text]
    return made | {one.name: Secret("" if one.given else secrets.token_urlsafe(PASSWORD_BYTES)) for one in own}


def given(catalog: Catalog) -> tuple[str, ...]:
    """The secrets that are not made but given."""
    return tuple(password.name for password in passwords(catalog) if password.given)


def phase_of(catalog: Catalog) -> dict[str, Phase]:
    """The phase whose environment file holds a secret, by its file: the first that has a container which needs it."""
    phases: dict[str, Phase] = {}
    for phase in catalog.phases:
        for piece in catalog.of_phase(phase):
            for file in secrets_of(piece):
                phases.setdefault(file, phase)
    return phases


def by_phase(catalog: Catalog, made: Mapping[str, Secret]) -> dict[Phase, dict[str, Secret]]:
    """Secrets by the phase of their environment file; what no container needs goes with the first."""
    phases = phase_of(catalog)
    sorted_out: dict[Phase, dict[str, Secret]] = {phase: {} for phase in catalog.phases}
    for file, secret in made.items():
        sorted_out[phases.get(file, catalog.phases[0])][file] = secret
    return sorted_out


def all_secrets(catalog: Catalog, variables: Mapping[str, str], *, whole: bool = True) -> dict[str, Secret]:
    """Every secret by its file, out of the variables of all environment files; composed ones are composed. A private
    key whose variable is empty was taken away: its file is empty. Raises InvalidInput that names a
    missing variable, unless not the `whole` of the catalog has to be there."""
    found: dict[str, Secret] = {}
    own = (password.name for password in passwords(catalog) if not password.text)
    for file in (*map(key_file, keys_of(catalog)), *own):
        value = variables.get(variable_of(file), "" if whole and file in given(catalog) else None)
        if value is not None:
            found[file] = Secret(value)
        elif whole:
            raise InvalidInput(
                f"{variable_of(file)}: missing in the environment files; `lucid deploy up` adds what a newer "
                "version needs"
            )
    known = {name: secret.reveal() for name, secret in found.items()}
    composed = [
        password for password in passwords(catalog) if password.text and (whole or _composable(password, known))
    ]
    return found | {password.name: Secret(password.text.format_map(known)) for password in composed}


def _composable(password: Password, known: Mapping[str, str]) -> bool:
    return all(name is None or name in known for _, name, _, _ in Formatter().parse(password.text))


def public_halves(catalog: Catalog, found: Mapping[str, Secret]) -> dict[str, str]:
    """The public halves of the keys that have one, by their file below the public keys' folder."""
    halves = {}
    for key in keys_of(catalog):
        secret = found.get(key_file(key))
        if secret and secret.reveal() and (half := public_half(key.kind, secret)):
            halves[f"{key.name}.pub"] = half
    return halves


def assigned(named: Iterable[tuple[str, Secret]]) -> str:
    """Lines of an environment file."""
    return "".join(f"{variable_of(file)}={quoted(secret.reveal())}\n" for file, secret in named)
