"""Keys are made once, stay private, and can be taken away."""

import shutil
import stat
from pathlib import Path

import pytest

from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.catalog.keys import HOST_SEAL_KEY, KEYS, LOG_KEY, MESH_TOKEN, OWNER_IDENTITY, private_keys
from lucid.catalog.services import SERVICES
from lucid.crypto.age import recipient_of
from lucid.crypto.note import SignerKey
from lucid.runtime.keyring import Keyring
from lucid.runtime.serve import service_named


def test_keys_are_the_same_at_the_second_start(tmp_path: Path) -> None:
    first, second = Keyring.open(tmp_path), Keyring.open(tmp_path)
    assert all(first.private(key) == second.private(key) for key in KEYS)


def test_key_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    Keyring.open(tmp_path)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_public_halves_belong_to_the_private_ones(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    assert ring.public(OWNER_IDENTITY) == recipient_of(ring.private(OWNER_IDENTITY))
    assert ring.public(LOG_KEY) == SignerKey.parse(ring.private(LOG_KEY)).verifier.format()
    with pytest.raises(LookupError):
        ring.public(HOST_SEAL_KEY)


def test_an_identity_that_was_taken_away_is_not_made_again(tmp_path: Path) -> None:
    before = Keyring.open(tmp_path).public(OWNER_IDENTITY)
    (tmp_path / OWNER_IDENTITY.name).unlink()
    ring = Keyring.open(tmp_path)
    assert ring.public(OWNER_IDENTITY) == before
    with pytest.raises(NotFound, match="is not there"):
        ring.private(OWNER_IDENTITY)
    assert not (tmp_path / OWNER_IDENTITY.name).exists()


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    Keyring.open(tmp_path)
    (tmp_path / LOG_KEY.name).write_text("# only a comment\n")
    with pytest.raises(Corrupted, match=LOG_KEY.name):
        Keyring.open(tmp_path)


@pytest.mark.parametrize("name", [LOG_KEY.name, "."])
@pytest.mark.parametrize("bit", [0o040, 0o020, 0o004, 0o001])
def test_what_others_may_use_is_refused(tmp_path: Path, name: str, bit: int) -> None:
    """Whoever read a private key before keeps it, so modes are not quietly put right."""
    Keyring.open(tmp_path)
    path = tmp_path / name
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode | bit)
    with pytest.raises(InvalidInput) as refused:
        Keyring.open(tmp_path)
    assert f"chmod {mode:o} {path}" in refused.value.detail
    path.chmod(mode)
    Keyring.open(tmp_path)


def a_container_s_keys(tmp_path: Path, service: str) -> tuple[Path, Path]:
    """What is mounted into the service's container: its own private halves, and all public ones."""
    whole, own, public = tmp_path / "whole", tmp_path / "own", tmp_path / "public"
    whole.mkdir(mode=0o700)
    Keyring.open(whole)
    for file in whole.rglob("*.pub"):
        (public / file.relative_to(whole)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, public / file.relative_to(whole))
    for key in private_keys(service_named(service)):
        (own / key.name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / key.name, own / key.name)
        (own / key.name).chmod(0o400)
    return own, public


def test_a_container_has_the_private_halves_of_its_service_alone(tmp_path: Path) -> None:
    own, public = a_container_s_keys(tmp_path, "block-manager")
    ring = Keyring.mounted(own, public)
    assert ring.identity("block-manager").id == Keyring.open(tmp_path / "whole").identity("block-manager").id
    assert ring.public(LOG_KEY) == Keyring.open(tmp_path / "whole").public(LOG_KEY)
    assert ring.peers().keys() == Keyring.open(tmp_path / "whole").peers().keys()
    assert ring.private(MESH_TOKEN)
    for key in (LOG_KEY, HOST_SEAL_KEY, OWNER_IDENTITY):
        with pytest.raises(NotFound, match=key.name):
            ring.private(key)
    assert not list(own.rglob("*.pub")), "nothing is made"


def test_the_engine_alone_of_the_chain_can_sign_the_log() -> None:
    holders = {service.name for service in SERVICES if LOG_KEY in private_keys(service)}
    assert holders == {"blockchain-engine"}


def test_a_mounted_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    own, public = a_container_s_keys(tmp_path, "block-manager")
    (own / MESH_TOKEN.name).chmod(0o444)
    with pytest.raises(InvalidInput, match=f"chmod 400 {own / MESH_TOKEN.name}"):
        Keyring.mounted(own, public)


def test_a_mounted_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """As when it is of another user: a container's log has one line of it."""
    (tmp_path / "log-key").mkdir(mode=0o700)
    (tmp_path / "log-key" / "in-it").touch()
    with pytest.raises(InvalidInput, match=rf"^{tmp_path}/log-key: "):
        Keyring.mounted(tmp_path, tmp_path)


def test_a_mounted_key_that_was_taken_away_is_an_empty_file(tmp_path: Path) -> None:
    own, public = a_container_s_keys(tmp_path, "session-api")
    (own / OWNER_IDENTITY.name).unlink()
    (own / OWNER_IDENTITY.name).touch()
    ring = Keyring.mounted(own, public)
    assert not ring.has_private(OWNER_IDENTITY)
    assert ring.public(OWNER_IDENTITY)
