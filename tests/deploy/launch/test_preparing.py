"""A deployment's settings and secrets: made once, encrypted at rest, unlocked into memory, added to and changed."""

import os
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lucid.base.errors import Conflict, InvalidInput, LucidError, NotFound
from lucid.base.secret import Secret
from lucid.catalog.keys import OWNER_IDENTITY
from lucid.catalog.networks import PHASES
from lucid.catalog.services import SERVICES
from lucid.crypto import age
from lucid.crypto.age import recipient_of
from lucid.deploy.catalog import Catalog
from lucid.deploy.container import secrets_of
from lucid.deploy.launch import preparing
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.secrets import PREFIX, given

CATALOG = Catalog()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "deploy", tmp_path / "identity", tmp_path / "run")


def chosen(place: Place, **more: str) -> dict[str, str]:
    above = place.deploy_dir.parent
    return {
        "LUCID_DATA_ROOT": str(above / "data"),
        "LUCID_LOGS_ROOT": str(above / "logs"),
        "LUCID_PUBLIC_KEYS_DIR": str(above / "public-keys"),
        "LUCID_SECRETS_DIR": str(place.secrets),
        **more,
    }


@pytest.fixture
def made(place: Place) -> Place:
    preparing.init(place, CATALOG, chosen(place))
    return place


def unlocked(place: Place) -> dict[str, bytes]:
    return {
        str(path.relative_to(place.run_dir)): path.read_bytes() for path in place.run_dir.rglob("*") if path.is_file()
    }


def test_every_container_finds_its_secrets_and_folders(made: Place) -> None:
    for piece in CATALOG.pieces:
        for file in secrets_of(piece):
            path = made.secrets / file
            assert path.read_text().strip() or file in given(CATALOG), file
            assert path.read_bytes(), file
            assert stat.S_IMODE(path.stat().st_mode) == 0o400
            if os.geteuid() == 0:
                assert path.stat().st_uid == preparing.UID
        assert (made.deploy_dir.parent / "logs" / piece.name).is_dir()
    assert (made.secrets / "mongodb-password").read_text() in (made.secrets / "mongodb-uri").read_text()
    public = made.deploy_dir.parent / "public-keys"
    owner = Secret((made.secrets / "keys" / OWNER_IDENTITY.name).read_text())
    assert (public / f"{OWNER_IDENTITY.name}.pub").read_text() == f"{recipient_of(owner)}\n"
    assert len(list((public / "identities").iterdir())) == len(SERVICES) + 1


def test_no_secret_is_anywhere_but_in_memory(made: Place) -> None:
    known = {path.read_bytes() for path in made.secrets.rglob("*") if path.is_file()} - {b"\n"}
    assert len(known) > 20
    for path in made.deploy_dir.parent.rglob("*"):
        if path.is_file() and made.secrets not in path.parents:
            assert not any(secret in path.read_bytes() for secret in known), path
    for path in made.environment_files(CATALOG):
        assert PREFIX not in path.read_text()


def test_age_itself_opens_the_files(made: Place) -> None:
    shown = subprocess.check_output(["age", "-d", "-i", made.identity, made.encrypted(PHASES[0])], text=True)
    assert f"{PREFIX}REDIS_PASSWORD={(made.secrets / 'redis-password').read_text()}\n" in shown


def test_unlocked_again_it_is_the_same(made: Place) -> None:
    before = unlocked(made)
    preparing.lock(made, CATALOG)
    assert not unlocked(made)
    preparing.unlock(made, CATALOG)
    assert unlocked(made) == before


def test_unlocking_writes_to_no_disk(made: Place) -> None:
    """At boot all but /run is read-only for it."""
    public = made.deploy_dir.parent / "public-keys"
    before = {path: path.stat().st_ctime_ns for path in (public, *public.rglob("*"), made.deploy_dir, made.identity)}
    preparing.unlock(made, CATALOG)
    assert {path: path.stat().st_ctime_ns for path in before} == before


def test_a_second_deployment_is_refused_and_changes_nothing(made: Place) -> None:
    before = made.encrypted(PHASES[0]).read_bytes()
    with pytest.raises(Conflict, match="there is a deployment already"):
        preparing.init(made, CATALOG, chosen(made))
    shutil.rmtree(made.deploy_dir)
    with pytest.raises(Conflict, match="keys of an earlier deployment"):
        preparing.init(made, CATALOG, chosen(made))
    assert before


def test_init_that_was_interrupted_is_begun_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(preparing, "make_folders", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            preparing.init(place, CATALOG, chosen(place))
    with pytest.raises(NotFound, match="lucid deploy init"):
        preparing.unlock(place, CATALOG)
    assert preparing.init(place, CATALOG, chosen(place))
    assert place.is_unlocked(CATALOG)


@pytest.mark.parametrize("how", ["altered", "cut", "missing", "another identity", "no identity", "readable identity"])
def test_what_does_not_open_is_named(made: Place, how: str) -> None:
    path, before = made.encrypted(PHASES[1]), unlocked(made)
    data, named = path.read_bytes(), str(path)
    match how:
        case "altered":
            path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
        case "cut":
            path.write_bytes(data[:-100])
        case "missing":
            path.unlink()
        case "another identity":
            made.identity.write_text(age.new_identity().reveal())
            named = str(made.identity)
        case "no identity":
            made.identity.unlink()
            named = str(made.identity)
        case _:
            made.identity.chmod(0o644)
            named = str(made.identity)
    with pytest.raises(LucidError) as refused:
        preparing.unlock(made, CATALOG)
    assert refused.value.status < 500
    assert named in refused.value.detail
    assert "AGE-SECRET" not in refused.value.detail
    assert unlocked(made) == before, "what was unlocked stays"


def test_settings_are_changed_where_they_stand(made: Place) -> None:
    preparing.configure(
        made, CATALOG, {"LUCID_LOG_LEVEL": "DEBUG", "LUCID_API_GATEWAY_TLS": "on", "LUCID_IMAGE_TAG": "a'b c"}
    )
    values = made.values(CATALOG)
    assert (values["LUCID_LOG_LEVEL"], values["LUCID_API_GATEWAY_TLS"], values["LUCID_IMAGE_TAG"]) == (
        "DEBUG",
        "on",
        "a'b c",
    )


@pytest.mark.parametrize("change", [{"LUCID_NOTHING": "1"}, {"LUCID_LOG_LEVEL": "a\nb"}, {"LUCID_LOG_LEVEL": "a\\b"}])
def test_a_setting_that_cannot_be_is_refused(made: Place, change: dict[str, str]) -> None:
    before = made.encrypted(PHASES[0]).read_bytes()
    with pytest.raises(InvalidInput, match=next(iter(change))):
        preparing.configure(made, CATALOG, change)
    assert made.encrypted(PHASES[0]).read_bytes() == before


def test_what_a_newer_catalog_needs_is_added(made: Place) -> None:
    """One literal is enough: its key, its folders, its phase's file."""
    before = unlocked(made)
    more = replace(SERVICES[-1], name="throwaway", phase=4, api=(), keys={}, provides=())
    newer = Catalog(services=(*SERVICES, more))
    with pytest.raises(InvalidInput, match="LUCID_SECRET_KEYS_IDENTITIES_THROWAWAY"):
        preparing.unlock(made, newer)
    preparing.configure(made, newer, {"LUCID_LOG_LEVEL": "DEBUG"})
    assert made.values(newer)["LUCID_LOG_LEVEL"] == "DEBUG"
    preparing.complete(made, newer)
    assert (made.secrets / "keys/identities/throwaway").read_text()
    assert (made.deploy_dir.parent / "logs/throwaway").is_dir()
    assert (made.deploy_dir.parent / "public-keys/identities/throwaway.pub").is_file()
    kept = {name: data for name, data in unlocked(made).items() if name in before and name.startswith("secrets")}
    assert kept == {name: data for name, data in before.items() if name.startswith("secrets")}


def test_what_is_added_stands_on_lines_of_its_own(made: Place) -> None:
    """However somebody's editor ended the file that they encrypted."""
    recipient = recipient_of(preparing.identity_of(made))
    for phase, text in preparing.decrypted(made, CATALOG).items():
        lines = [line for line in text.splitlines() if "METRICS_TOKEN=" not in line]
        made.encrypted(phase).write_bytes(age.encrypt("\n".join(lines).encode(), recipient))
    preparing.complete(made, CATALOG)
    assert (made.secrets / "keys/metrics-token").read_text()


def test_an_empty_setting_has_its_default(made: Place) -> None:
    """As Compose has it: `${LUCID_LOG_LEVEL:-INFO}`."""
    preparing.configure(made, CATALOG, {"LUCID_LOG_LEVEL": "", "LUCID_DATA_ROOT": ""})
    values = made.values(CATALOG)
    assert (values["LUCID_LOG_LEVEL"], values["LUCID_DATA_ROOT"]) == ("INFO", "/mnt/myssd/Lucid/data")


def test_a_private_key_that_was_taken_away_is_an_empty_file(made: Place) -> None:
    text = preparing.decrypted(made, CATALOG)
    phase = next(phase for phase, body in text.items() if f"{PREFIX}KEYS_OWNER_IDENTITY=" in body)
    lines = [f"{line.partition('=')[0]}=" if "OWNER_IDENTITY" in line else line for line in text[phase].splitlines()]
    recipient = recipient_of(preparing.identity_of(made))
    made.encrypted(phase).write_bytes(age.encrypt("\n".join(lines).encode(), recipient))
    preparing.unlock(made, CATALOG)
    assert (made.secrets / "keys/owner-identity").read_bytes() == b""


def test_settings_of_an_earlier_version_are_unlocked_as_they_are(made: Place) -> None:
    before = unlocked(made)
    newer = Catalog(
        services=(*SERVICES, replace(SERVICES[-1], name="throwaway", phase=4, api=(), keys={}, provides=()))
    )
    preparing.lock(made, newer)
    preparing.unlock(made, newer, older=True)
    assert unlocked(made) == before


def test_a_folder_is_a_whole_path(place: Place) -> None:
    with pytest.raises(InvalidInput, match="LUCID_DATA_ROOT: expected a whole path, not 'data'"):
        preparing.init(place, CATALOG, chosen(place, LUCID_DATA_ROOT="data"))
    assert not place.encrypted_dir.exists()


def test_a_secret_is_given_and_taken_away(made: Place) -> None:
    """Whatever a provider thinks of; without one, a line break, because Swarm takes no empty secret."""
    path = made.secrets / "oidc-client-secret"
    assert path.read_bytes() == b"\n"
    for text in ("s3cr=t", "a 'b' \"c\" \\d $e # f", "é~"):
        preparing.give(made, CATALOG, "oidc-client-secret", Secret(text))
        preparing.lock(made, CATALOG)
        preparing.unlock(made, CATALOG)
        assert path.read_text() == text
    assert not any("OIDC_CLIENT_SECRET" in file.read_text() for file in made.environment_files(CATALOG))
    preparing.give(made, CATALOG, "oidc-client-secret", Secret(""))
    assert path.read_bytes() == b"\n"


@pytest.mark.parametrize(("name", "text"), [("redis-password", "a"), ("oidc-client-secret", "a\nb=c"), ("x", "a")])
def test_no_other_secret_is_given(made: Place, name: str, text: str) -> None:
    before = made.encrypted(PHASES[0]).read_bytes()
    with pytest.raises(InvalidInput) as refused:
        preparing.give(made, CATALOG, name, Secret(text))
    assert "oidc-client-secret" in refused.value.detail
    assert made.encrypted(PHASES[0]).read_bytes() == before


def test_a_secret_of_a_newer_version_is_off_until_it_is_given(made: Place) -> None:
    texts = preparing.decrypted(made, CATALOG)
    lines = [line for line in texts[PHASES[0]].splitlines() if "OIDC_CLIENT_SECRET=" not in line]
    recipient = recipient_of(preparing.identity_of(made))
    made.encrypted(PHASES[0]).write_bytes(age.encrypt("\n".join(lines).encode() + b"\n", recipient))
    preparing.unlock(made, CATALOG)
    assert (made.secrets / "oidc-client-secret").read_bytes() == b"\n"
    preparing.give(made, CATALOG, "oidc-client-secret", Secret("now"))
    assert (made.secrets / "oidc-client-secret").read_text() == "now"
