"""What tells Compose that a secret or a key changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from lucid.base.errors import NotFound
from lucid.base.secret import Secret
from lucid.catalog.keys import identity_key
from lucid.crypto.age import new_identity
from lucid.crypto.keymaking import make_key
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch import preparing
from lucid.deploy.launch.fingerprints import fingerprints
from lucid.deploy.launch.place import Place

CATALOG = Catalog()
NAMES = {piece.name for piece in CATALOG.pieces}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("fingerprints")
    made = Place(folder / "deploy", folder / "identity", folder / "run")
    chosen = {"DATA_ROOT": "data", "LOGS_ROOT": "logs", "SECRETS_DIR": "run/secrets", "PUBLIC_KEYS_DIR": "public"}
    preparing.init(made, CATALOG, {f"LUCID_{name}": str(folder / path) for name, path in chosen.items()})
    return made


def digests(place: Place) -> dict[str, str]:
    return fingerprints(place, CATALOG, preparing.identity_of(place))


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def put(path: Path, text: str) -> None:
    """As unlocking does: the path is the same, the file is another."""
    new = path.with_name("new")
    new.write_text(text)
    new.replace(path)


def test_a_password_concerns_who_gets_it(place: Place) -> None:
    before = digests(place)
    assert set(before) == NAMES
    preparing.give(place, CATALOG, "oidc-client-secret", Secret("provider's"))
    assert changed(before, digests(place)) == {"lucid-auth-service"}
    put(place.secrets / "redis-password", "another")
    assert changed(before, digests(place)) == {"lucid-auth-service", "lucid-redis"}
    preparing.unlock(place, CATALOG)
    preparing.give(place, CATALOG, "oidc-client-secret", Secret(""))
    assert digests(place) == before


def test_a_key_concerns_its_owner_and_its_public_half_all_services(place: Place) -> None:
    """Services read who may call them when they start."""
    before = digests(place)
    key = identity_key("data-chain")
    put(place.secrets / "keys" / key.name, make_key(key.kind).reveal())
    assert changed(before, digests(place)) == {"data-chain"}
    put(Path(place.values(CATALOG)["LUCID_PUBLIC_KEYS_DIR"], f"{key.name}.pub"), "another")
    assert changed(before, digests(place)) == {service.name for service in CATALOG.services}
    preparing.unlock(place, CATALOG)
    assert digests(place) == before


def test_they_tell_nothing_to_who_has_not_the_identity(place: Place) -> None:
    another = fingerprints(place, CATALOG, new_identity())
    assert changed(digests(place), another) == NAMES


def test_what_is_locked_has_none(place: Place) -> None:
    with pytest.raises(NotFound, match="lucid deploy unlock"):
        digests(replace(place, run_dir=place.run_dir / "nowhere"))
