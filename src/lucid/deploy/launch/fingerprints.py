"""By what Compose sees that a secret or a key changed, whose file has the same path as before: a digest of all that a
container gets of them, as a label. It is keyed, so that it tells nothing of a secret that could be guessed."""

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from lucid.base.errors import NotFound
from lucid.base.secret import Secret
from lucid.catalog.types import Service
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.container import secrets_of
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.secrets import keys_of

LABEL = "org.lucid.secrets"
_PURPOSE = b"lucid deploy: digests of secrets"
_LENGTH = 32


def fingerprints(place: Place, catalog: Catalog, identity: Secret) -> dict[str, str]:
    """By container: of its own secrets, and of the public halves of all keys if it is a service, since it reads those
    when it starts. Keyed with the deployment's `identity`. Raises NotFound for a secret that is not unlocked."""
    key = hmac.digest(identity.reveal().encode(), _PURPOSE, "sha256")
    folder = Path(place.values(catalog)[variables.PUBLIC_KEYS_DIR.name])
    halves = [path for each in keys_of(catalog) if (path := folder / f"{each.name}.pub").is_file()]
    return {
        piece.name: _digest(
            key,
            [
                *(place.secrets / file for file in secrets_of(piece)),
                *(halves if isinstance(piece, Service) else ()),
            ],
        )
        for piece in catalog.pieces
    }


def _digest(key: bytes, paths: Iterable[Path]) -> str:
    whole = hmac.new(key, digestmod="sha256")
    for path in sorted(paths):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"{path}: missing; `lucid deploy unlock` puts it there") from None
        whole.update(f"{path}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return whole.hexdigest()[:_LENGTH]
