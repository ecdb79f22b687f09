"""A deployment's settings: made once, encrypted at rest, unlocked into memory, changed in place."""

import os
import re
import shutil
import stat
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from lucid.base.errors import Conflict, Corrupted, InvalidInput, NotFound
from lucid.base.secret import Secret
from lucid.catalog.types import Phase, Service
from lucid.crypto import age
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.container import folders
from lucid.deploy.environment import environment_files, quoted
from lucid.deploy.launch import secrets
from lucid.deploy.launch import values as allowed
from lucid.deploy.launch.durable import sync_folder, write
from lucid.deploy.launch.place import Place

UID = 65532
"""The user of all containers but those whose catalog entry says otherwise."""

_ASSIGNED = re.compile(r"^#?([A-Za-z_][A-Za-z0-9_]*)=.*$", re.MULTILINE)


def check_new(
    place: Place, catalog: Catalog, chosen: Mapping[str, str]
) -> tuple[Mapping[str, str], Mapping[Phase, str]]:
    """The variables that `init` would make a deployment with, and the text of each environment file. Changes nothing,
    and raises what `init` does."""
    if place.encrypted_dir.exists():
        raise Conflict(f"{place.deploy_dir}: there is a deployment already; `lucid deploy up` starts it")
    values = {**_defaults(catalog), **chosen}
    _check(place, catalog, values)
    public = Path(values[variables.PUBLIC_KEYS_DIR.name])
    if public.is_dir() and any(public.iterdir()):
        raise Conflict(
            f"{public}: keys of an earlier deployment are there, and new ones would not open what those sealed; bring "
            f"its {place.encrypted_dir} back, or move that folder and the data away"
        )
    return values, with_values(_examples(catalog), chosen)


def init(place: Place, catalog: Catalog, chosen: Mapping[str, str]) -> Secret | None:
    """Make a deployment with these values of variables, and unlock it. Returns the first password of the account
    `admin`, if the catalog has one. Raises Conflict when there is a deployment already, InvalidInput for a variable
    that there is not, or that cannot be so. Until all is written there is no deployment, and init can be called
    again."""
    values, texts = check_new(place, catalog, chosen)
    made = secrets.make_secrets(catalog)
    identity = identity_of(place)
    new = place.deploy_dir / ".environment.new"
    shutil.rmtree(new, ignore_errors=True)
    for phase, own in secrets.by_phase(catalog, made).items():
        text = f"{texts[phase]}\n# -- Secrets\n{secrets.assigned(own.items())}"
        path = new / place.encrypted(phase).name
        write(path, age.encrypt(text.encode(), age.recipient_of(identity)))
        _give(path, 0o600)
    _give(new, 0o700)
    make_folders(catalog, values)
    new.rename(place.encrypted_dir)
    sync_folder(place.deploy_dir)
    unlock(place, catalog)
    return made.get("administrator-password")


def unlock(place: Place, catalog: Catalog, *, older: bool = False) -> None:
    """Put settings and secrets into memory, and the public halves of the keys where containers see them. A file is the
    old or the new one at any moment, what is there already is not touched, and the settings come last: where they are,
    the secrets are too. `older`: settings of an earlier version, which need not know all of the catalog. Raises
    NotFound when there is no deployment, and InvalidInput that names the missing identity, a file that it does not
    open, or a variable that is missing."""
    texts = decrypted(place, catalog, new_phases=older)
    values: dict[str, str] = {}
    for text in texts.values():
        values |= _parsed(text)
    found = secrets.all_secrets(catalog, values, whole=not older)
    _check(place, catalog, values)
    for folder in sorted({place.secrets, *((place.secrets / file).parent for file in found)}):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give(folder, 0o700)
    # Swarm takes no empty secret, and who reads one that is given takes spaces off.
    empty = dict.fromkeys(secrets.given(catalog), "\n")
    for file, secret in found.items():
        _put(place.secrets / file, (secret.reveal() or empty.get(file, "")).encode(), 0o400)
    for stale in set(_files(place.secrets)) - set(found):
        (place.secrets / stale).unlink()
    _show(Path(variables.PUBLIC_KEYS_DIR.of(values)), catalog, found)
    for phase, text in texts.items():
        public = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(secrets.PREFIX))
        _put(place.unlocked(phase), public.encode(), 0o600)
    place.run_dir.chmod(0o711)


def complete(place: Place, catalog: Catalog) -> None:
    """Make what a newer catalog has and the deployment has not: keys and passwords, folders. Then unlock it. Raises as
    `unlock`."""
    _add_missing(place, catalog)
    unlock(place, catalog)
    make_folders(catalog, place.values(catalog))


def _add_missing(place: Place, catalog: Catalog) -> None:
    texts = decrypted(place, catalog, new_phases=True)
    known = {name for text in texts.values() for name in _parsed(text)}
    made = {
        file: secret for file, secret in secrets.make_secrets(catalog).items() if secrets.variable_of(file) not in known
    }
    identity = identity_of(place)
    for phase, own in secrets.by_phase(catalog, made).items():
        if own or not place.encrypted(phase).exists():
            text = f"{texts[phase].rstrip()}\n{secrets.assigned(own.items())}"
            write(place.encrypted(phase), age.encrypt(text.encode(), age.recipient_of(identity)))
            _give(place.encrypted(phase), 0o600)


def _show(folder: Path, catalog: Catalog, found: Mapping[str, Secret]) -> None:
    """Write the public halves that are not there. Nothing is touched when all are: at boot the disk is read-only for
    what unlocks."""
    for file, half in secrets.public_halves(catalog, found).items():
        path, data = folder / file, f"{half}\n".encode()
        if not path.exists() or path.read_bytes() != data:
            write(path, data)
            path.chmod(0o644)
            for parent in (path.parent, folder):
                parent.chmod(0o755)


def _check(place: Place, catalog: Catalog, values: Mapping[str, str]) -> None:
    """Raises InvalidInput for what cannot be, and for a folder of secrets that is not this place's: what is unlocked
    has to be where it is locked again."""
    allowed.check(catalog, values)
    folder = Path(variables.SECRETS_DIR.of(values))
    if folder != place.secrets:
        name = variables.SECRETS_DIR.name
        raise InvalidInput(f"{name}: expected {place.secrets}, not {folder}; LUCID_RUN_DIR is the folder above it")


def lock(place: Place, catalog: Catalog) -> None:
    """Take settings and secrets out of memory. Containers that run keep what they have."""
    for path in place.environment_files(catalog):
        path.unlink(missing_ok=True)
    shutil.rmtree(place.secrets, ignore_errors=True)


def configure(place: Place, catalog: Catalog, changes: Mapping[str, str]) -> None:
    """Change variables of the deployment, which `up` then brings into effect. Raises InvalidInput for one that there is
    not, else as `unlock`."""
    _add_missing(place, catalog)
    texts = decrypted(place, catalog)
    identity = identity_of(place)
    changed = with_values(texts, changes)
    _check(place, catalog, {name: value for text in changed.values() for name, value in _parsed(text).items()})
    for phase, text in changed.items():
        if text != texts[phase]:
            write(place.encrypted(phase), age.encrypt(text.encode(), age.recipient_of(identity)))
            _give(place.encrypted(phase), 0o600)
    unlock(place, catalog)


def check_given(catalog: Catalog, name: str) -> None:
    """Raises InvalidInput unless it is the name of a secret that `give` takes."""
    known = secrets.given(catalog)
    if name not in known:
        raise InvalidInput(f"NAME: expected {' or '.join(known)}, not {name!r}; all other secrets are made")


def give(place: Place, catalog: Catalog, name: str, secret: Secret) -> None:
    """Take a secret that is somebody else's; an empty one takes it away again. `up` then starts anew what gets it.
    Raises InvalidInput for another secret, or text that is not one line, else as `unlock`."""
    check_given(catalog, name)
    if not secret.reveal().isprintable() or secret.reveal() != secret.reveal().strip():
        raise InvalidInput(f"{name}: expected one line of text without spaces around it")
    _add_missing(place, catalog)
    variable, identity = secrets.variable_of(name), identity_of(place)
    line = secrets.assigned([(name, secret)])
    for phase, text in decrypted(place, catalog).items():
        lines = text.splitlines(keepends=True)
        changed = "".join(line if each.startswith(f"{variable}=") else each for each in lines)
        if changed != text:
            write(place.encrypted(phase), age.encrypt(changed.encode(), age.recipient_of(identity)))
            _give(place.encrypted(phase), 0o600)
    unlock(place, catalog)


def decrypted(place: Place, catalog: Catalog, *, new_phases: bool = False) -> dict[Phase, str]:
    """The whole environment files, with their secrets. With `new_phases`, a phase that has none yet is as its example.
    Raises as `unlock`."""
    if not place.encrypted_dir.is_dir():
        raise NotFound(f"{place.deploy_dir}: no deployment is there; `lucid deploy init` makes one")
    if not place.identity.is_file():
        raise InvalidInput(f"LUCID_DEPLOY_IDENTITY: {place.identity} is missing, which opens the deployment's settings")
    identity = identity_of(place)
    texts = {}
    for phase in catalog.phases:
        path = place.encrypted(phase)
        try:
            texts[phase] = age.decrypt(path.read_bytes(), identity).decode()
        except FileNotFoundError:
            if not new_phases or phase is catalog.phases[0]:
                raise NotFound(f"{path}: missing; bring it back from a backup") from None
            texts[phase] = _examples(catalog)[phase]
        except (Corrupted, UnicodeDecodeError):
            raise InvalidInput(f"{path}: does not open with {place.identity}, or was altered") from None
    return texts


def with_values(texts: Mapping[Phase, str], chosen: Mapping[str, str]) -> dict[Phase, str]:
    """The environment files with these values in the lines of their variables. Raises InvalidInput for a variable that
    no file has, and for a value that is not one line."""
    left = dict(chosen)
    changed = {}
    for phase, text in texts.items():

        def line(match: re.Match[str]) -> str:
            name = match[1]
            if name not in chosen or match[0].startswith(secrets.PREFIX):
                return match[0]
            left.pop(name, None)
            return f"{name}={quoted(chosen[name])}"

        changed[phase] = _ASSIGNED.sub(line, text)
    if left:
        raise InvalidInput(f"{min(left)}: no environment file has such a variable")
    for name, value in chosen.items():
        if not value.isprintable() or "\\" in value:  # which Compose and others read differently
            raise InvalidInput(f"{name}: expected one line of text without backslashes")
    return changed


def make_folders(catalog: Catalog, values: Mapping[str, str]) -> None:
    """The folders of the host that containers write to, each its container's alone. Those that hold something stay as
    they are."""
    for piece in catalog.pieces:
        uid = int(piece.container.user.partition(":")[0])
        # Desktops' homes are below the folder of what runs as root, so their owners pass through it.
        mode = 0o711 if uid == 0 and isinstance(piece, Service) else 0o700
        for source in folders(piece):
            path = Path(variables.fill(source, values))
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.mkdir(mode=mode, exist_ok=True)
            if not any(path.iterdir()):
                _give(path, mode, uid)


def _examples(catalog: Catalog) -> dict[Phase, str]:
    files = environment_files(catalog)
    return {phase: files[phase.environment_file] for phase in catalog.phases}


def _defaults(catalog: Catalog) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in _examples(catalog).values():
        values |= _parsed(text)
    return values


def _parsed(text: str) -> dict[str, str]:
    return {name: value or "" for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items()}


def identity_of(place: Place) -> Secret:
    """The identity of the deployment, made if it is not there. Raises InvalidInput when others can read it."""
    if not place.identity.exists():
        identity = age.new_identity()
        about = f"# opens the settings of the deployment in {place.deploy_dir}; keep a copy elsewhere\n"
        write(place.identity, f"{about}{identity.reveal()}\n".encode())
        return identity
    mode = stat.S_IMODE(place.identity.stat().st_mode)
    if mode & 0o077:
        raise InvalidInput(f"{place.identity}: mode {mode:o} lets others than its owner read it; chmod 600 it")
    text = place.identity.read_text(errors="replace")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    try:
        identity = Secret("".join(lines))
        age.recipient_of(identity)
    except InvalidInput:
        raise InvalidInput(f"{place.identity}: expected one age identity on a line of its own") from None
    return identity


def _put(path: Path, data: bytes, mode: int) -> None:
    """Write the file, unless it is there: containers may be starting with it."""
    if not path.exists() or path.read_bytes() != data:
        write(path, data)
    _give(path, mode)


def _give(path: Path, mode: int, uid: int = UID) -> None:
    """To the container's user, where the caller may."""
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, uid, uid)


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
