"""Passkeys with a software authenticator: ceremonies, logins, and what is refused."""

import asyncio
import contextlib
import json
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid.access.acts import Origin
from lucid.access.factors.passkeys import MOST
from lucid.access.factors.relying_party import RegistrationResponse, challenge_of
from lucid.access.records import PASSKEY_OWNERS
from lucid.access.sign_in import SignedIn
from lucid.base.errors import Conflict, Forbidden, InvalidInput, LucidError, NotFound, Unauthenticated
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.services.lucid_auth_service.service import AuthService
from tests.services.lucid_auth_service.auth_kit import SETTINGS, Trail, TurnedClock
from tests.services.lucid_auth_service.authenticator import Algorithm, Authenticator, decode, encode

ADA = Origin("ada")


async def register(
    service: AuthService, authenticator: Authenticator, name: str = "ada", label: str = "Laptop"
) -> list[str] | None:
    """Make a passkey for the account; returns the recovery codes that came with it."""
    options = await service.people.passkeys.registration_options(name)
    response = RegistrationResponse.model_validate(authenticator.create(options))
    _, codes = await service.people.passkeys.register(name, label, response, origin=Origin(name))
    return codes


async def second_step(service: AuthService, password: Secret) -> tuple[Secret, dict[str, Any]]:
    step = await service.people.sign_in.begin("ada", password)
    assert step.pending is not None
    return step.pending, await service.people.sign_in.passkey_options(step.pending)


async def passwordless(service: AuthService, authenticator: Authenticator) -> SignedIn:
    options = await service.people.sign_in.passkey_options(None)
    return await service.people.sign_in.with_passkey(None, authenticator.get(options))


@pytest.fixture
async def password(service: AuthService) -> Secret:
    """That of the account `ada`."""
    return await service.accounts.create(name="ada", role="user")


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_a_passkey_is_a_second_factor(
    service: AuthService, password: Secret, trail: Trail, algorithm: Algorithm
) -> None:
    authenticator = Authenticator(algorithm)
    codes = await register(service, authenticator)
    assert codes is not None
    assert len(codes) == 10
    step = await service.people.sign_in.begin("ada", password)
    assert step.factors == ("passkey", "recovery")
    for _ in range(2):
        pending, options = await second_step(service, password)
        done = await service.people.sign_in.with_passkey(pending, authenticator.get(options))
        assert (done.account.name, done.methods) == ("ada", ("pwd", "hwk"))
    pending, _ = await second_step(service, password)
    assert (await service.people.sign_in.with_code(pending, Secret(codes[3]))).methods == ("pwd", "otp")
    assert trail.acts == ["account.created", "passkey.added", "recovery.used"]


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_a_passkey_is_enough_when_it_verifies_the_person(
    service: AuthService, password: Secret, clock: TurnedClock, algorithm: Algorithm
) -> None:
    authenticator = Authenticator(algorithm)
    await register(service, authenticator)
    clock.turn(60)
    done = await passwordless(service, authenticator)
    assert (done.account.name, done.account.second_factors, done.methods) == ("ada", ("passkey",), ("hwk",))
    assert (await service.people.store.get("ada")).passkeys[0].used == clock.now()


async def test_the_options_are_what_the_standard_says(service: AuthService, password: Secret) -> None:
    authenticator = Authenticator()
    await register(service, authenticator)
    making = await service.people.passkeys.registration_options("ada")
    assert making["rp"] == {"id": "localhost", "name": "Lucid"}
    assert making["user"]["name"] == "ada"
    assert b"ada" not in decode(making["user"]["id"])
    assert making["attestation"] == "none"
    assert making["authenticatorSelection"]["residentKey"] == "preferred"
    assert making["authenticatorSelection"]["userVerification"] == "preferred"
    known = {"id": encode(authenticator.credentials[0].id), "type": "public-key", "transports": ["internal"]}
    assert making["excludeCredentials"] == [known]
    _, asking = await second_step(service, password)
    assert asking["allowCredentials"] == [known]
    assert asking["userVerification"] == "preferred"
    alone = await service.people.sign_in.passkey_options(None)
    assert alone["allowCredentials"] == []
    assert alone["userVerification"] == "required"
    assert alone["timeout"] == SETTINGS.sign_in_life_s * 1000
    assert len({decode(options["challenge"]) for options in (making, asking, alone)}) == 3
    assert json.loads(json.dumps([making, asking, alone])) == [making, asking, alone]


async def test_a_passkey_without_verification_is_no_login_of_its_own(service: AuthService, password: Secret) -> None:
    authenticator = Authenticator(verifies=False)
    await register(service, authenticator)
    options = await service.people.sign_in.passkey_options(None)
    response = authenticator.sign_with(authenticator.credentials[0], options["challenge"])
    with pytest.raises(Unauthenticated, match="verif"):
        await service.people.sign_in.with_passkey(None, response)
    pending, options = await second_step(service, password)
    await service.people.sign_in.with_passkey(pending, authenticator.get(options))


async def test_a_response_is_good_once(service: AuthService, password: Secret) -> None:
    authenticator = Authenticator(counts=False)
    await register(service, authenticator)
    options = await service.people.sign_in.passkey_options(None)
    response = authenticator.get(options)
    attempts = [service.people.sign_in.with_passkey(None, response) for _ in range(5)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 4
    again = authenticator.sign_with(authenticator.credentials[0], options["challenge"])
    with pytest.raises(Unauthenticated, match="challenge is unknown, used or expired"):
        await service.people.sign_in.with_passkey(None, again)


async def test_a_challenge_ends(service: AuthService, password: Secret, clock: TurnedClock) -> None:
    authenticator = Authenticator()
    making = await service.people.passkeys.registration_options("ada")
    clock.turn(SETTINGS.sign_in_life_s)
    response = RegistrationResponse.model_validate(authenticator.create(making))
    with pytest.raises(Forbidden, match="expired"):
        await service.people.passkeys.register("ada", "Laptop", response, origin=ADA)
    assert await service.sweep() == 1


async def test_a_challenge_is_for_one_thing_and_one_account(service: AuthService, password: Secret) -> None:
    authenticator, bobs = Authenticator(), Authenticator()
    await service.accounts.create(name="bob", role="user")
    await register(service, authenticator)
    await register(service, bobs, "bob")
    _, options = await second_step(service, password)
    with pytest.raises(Unauthenticated, match="something else"):
        await service.people.sign_in.with_passkey(None, authenticator.get(options))
    pending, _ = await second_step(service, password)
    alone = await service.people.sign_in.passkey_options(None)
    with pytest.raises(Unauthenticated, match="something else"):
        await service.people.sign_in.with_passkey(pending, authenticator.get(alone))
    making = await service.people.passkeys.registration_options("bob")
    response = RegistrationResponse.model_validate(Authenticator().create(making))
    with pytest.raises(Forbidden, match="something else"):
        await service.people.passkeys.register("ada", "Laptop", response, origin=ADA)
    pending, options = await second_step(service, password)
    with pytest.raises(Unauthenticated, match="no such passkey"):  # somebody else's passkey
        await service.people.sign_in.with_passkey(pending, bobs.sign_with(bobs.credentials[0], options["challenge"]))


async def test_a_counter_that_does_not_rise_is_refused_and_recorded(
    service: AuthService, password: Secret, trail: Trail
) -> None:
    authenticator = Authenticator()
    await register(service, authenticator)
    await passwordless(service, authenticator)
    credential = authenticator.credentials[0]
    for copied_at in (0, -1):  # a copy counts on from where it was made
        kept, credential.count = credential.count, credential.count - 1 + copied_at
        with pytest.raises(Unauthenticated, match="counter"):
            await passwordless(service, authenticator)
        credential.count = kept
    assert trail.acts[2:] == ["passkey.counter-fell denied"] * 2
    await passwordless(service, authenticator)


async def test_an_unsigned_counter_is_no_sign_of_a_copy(service: AuthService, password: Secret, trail: Trail) -> None:
    authenticator = Authenticator()
    await register(service, authenticator)
    await passwordless(service, authenticator)
    authenticator.credentials[0].count = -1
    options = await service.people.sign_in.passkey_options(None)
    response = authenticator.get(options)
    response["response"]["signature"] = encode(b"forged")
    with pytest.raises(Unauthenticated):
        await service.people.sign_in.with_passkey(None, response)
    assert trail.acts[2:] == ["factor.failed denied"]


async def test_authenticators_without_a_counter_work(service: AuthService, password: Secret) -> None:
    authenticator = Authenticator(counts=False)
    await register(service, authenticator)
    for _ in range(3):
        await passwordless(service, authenticator)


async def test_an_account_has_several_passkeys_and_loses_one(
    service: AuthService, documents: SqliteDocuments, password: Secret, trail: Trail
) -> None:
    laptop, phone = Authenticator(), Authenticator("EdDSA")
    assert await register(service, laptop) is not None
    assert await register(service, phone, label="Téléphone ☎") is None
    first, second = (await service.people.store.get("ada")).passkeys
    assert (first.name, second.name) == ("Laptop", "Téléphone ☎")
    await service.people.passkeys.remove("ada", first.id, origin=ADA)
    with pytest.raises(NotFound):
        await service.people.passkeys.remove("ada", first.id, origin=ADA)
    with pytest.raises(Unauthenticated):
        await passwordless(service, laptop)
    await passwordless(service, phone)
    await service.people.passkeys.remove("ada", second.id, origin=ADA)
    assert (await service.people.sign_in.begin("ada", password)).complete is not None
    assert await documents.find(PASSKEY_OWNERS) == []
    assert trail.acts.count("passkey.removed") == 2


async def test_there_are_not_too_many(service: AuthService, password: Secret) -> None:
    for _ in range(MOST):
        await register(service, Authenticator("EdDSA"))
    with pytest.raises(Conflict):
        await service.people.passkeys.registration_options("ada")


async def test_a_passkey_belongs_to_one_account(
    service: AuthService, documents: SqliteDocuments, password: Secret
) -> None:
    authenticator = Authenticator()
    await service.accounts.create(name="bob", role="user")
    await register(service, authenticator)
    credential = authenticator.credentials[0]

    async def again(name: str) -> None:
        options = await service.people.passkeys.registration_options(name)
        made = authenticator.create({**options, "excludeCredentials": []})
        copy = cbor2.loads(decode(made["response"]["attestationObject"]))
        copy["authData"] = copy["authData"][:53] + b"\0\x20" + credential.id + credential.cose()
        made["response"]["attestationObject"] = encode(cbor2.dumps(copy))
        made["id"] = made["rawId"] = encode(credential.id)
        response = RegistrationResponse.model_validate(made)
        await service.people.passkeys.register(name, "Copy", response, origin=Origin(name))

    for name in ("ada", "bob"):
        with pytest.raises(Conflict):
            await again(name)
    # What a crash leaves: the owner was noted, the passkey not added.
    (note,) = await documents.find(PASSKEY_OWNERS)
    await service.people.second_factors.remove_all("ada")
    await documents.insert(PASSKEY_OWNERS, note.id, {"user": "ada"})
    await again("bob")
    assert (await service.accounts.get(name="bob")).second_factors == ("passkey",)


async def test_locked_and_removed_accounts_do_not_log_in_by_passkey(
    service: AuthService, password: Secret, clock: TurnedClock
) -> None:
    authenticator = Authenticator()
    await register(service, authenticator)
    await service.accounts.change(name="ada", locked=True)
    with pytest.raises(Unauthenticated, match="locked"):
        await passwordless(service, authenticator)
    await service.accounts.change(name="ada", locked=False)
    await passwordless(service, authenticator)
    await service.accounts.remove(name="ada")
    with pytest.raises(Unauthenticated, match="unknown"):
        await passwordless(service, authenticator)


async def test_other_origins_and_domains_are_refused(service: AuthService, password: Secret) -> None:
    authenticator = Authenticator()
    await register(service, authenticator)
    authenticator.origin = "https://lucid.example.net"
    with pytest.raises(Unauthenticated, match="origin"):
        await passwordless(service, authenticator)
    making = await service.people.passkeys.registration_options("ada")
    response = RegistrationResponse.model_validate(Authenticator(origin="http://localhost").create(making))
    with pytest.raises(Forbidden, match="origin"):
        await service.people.passkeys.register("ada", "Laptop", response, origin=ADA)
    authenticator.origin = "http://localhost:12080"
    options = await service.people.sign_in.passkey_options(None)
    authenticator.credentials[0].domain = "example.net"
    with pytest.raises(Unauthenticated, match="RP ID"):
        await service.people.sign_in.with_passkey(
            None, authenticator.sign_with(authenticator.credentials[0], options["challenge"])
        )


async def test_a_user_handle_names_the_account(service: AuthService, password: Secret) -> None:
    authenticator = Authenticator()
    await register(service, authenticator)
    authenticator.credentials[0].handle = b"somebody else"
    with pytest.raises(Unauthenticated, match="another account"):
        await passwordless(service, authenticator)


@pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
async def test_no_changed_byte_goes_through(service: AuthService, password: Secret, field: str) -> None:
    authenticator = Authenticator("EdDSA")
    await register(service, authenticator)
    options = await service.people.sign_in.passkey_options(None)
    length = len(decode(authenticator.sign_with(authenticator.credentials[0], "x")["response"][field]))
    for place in range(0, length, 7):
        options = await service.people.sign_in.passkey_options(None)
        response = authenticator.get(options)
        data = bytearray(decode(response["response"][field]))
        data[place] ^= 1
        response["response"][field] = encode(bytes(data))
        with pytest.raises(Unauthenticated):
            await service.people.sign_in.with_passkey(None, response)


BYTES = st.binary(max_size=200)
KEYS = st.dictionaries(
    st.sampled_from([1, 3, -1, -2, -3]),
    st.one_of(st.sampled_from([1, 2, 3, -7, -8, -257, 6]), BYTES, st.text(max_size=3), st.none()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    key=st.one_of(BYTES, KEYS.map(cbor2.dumps)),
    head=st.one_of(st.just(None), BYTES),
    fmt=st.sampled_from(["none", "packed", "fido-u2f", "tpm", "apple", "android-key", "android-safetynet", "x", 7]),
    statement=st.one_of(
        st.just({}),
        st.dictionaries(
            st.sampled_from(["alg", "sig", "x5c", "ver", "response", "certInfo", "pubArea"]),
            st.one_of(BYTES, st.integers(-300, 300), st.text(max_size=3), st.lists(BYTES, max_size=2)),
        ),
    ),
)
async def test_any_bytes_are_refused_with_an_error_of_ours(
    service: AuthService, key: bytes, head: bytes | None, fmt: Any, statement: Any
) -> None:
    with contextlib.suppress(Conflict):
        await service.accounts.create(name="ada", role="user")
    options = await service.people.passkeys.registration_options("ada")
    made = Authenticator().create(options)
    attestation = cbor2.loads(decode(made["response"]["attestationObject"]))
    whole = attestation["authData"]
    attestation |= {"fmt": fmt, "attStmt": statement, "authData": (whole[:87] + key) if head is None else head}
    made["response"]["attestationObject"] = encode(cbor2.dumps(attestation))
    response = RegistrationResponse.model_validate(made)
    with pytest.raises(LucidError):
        await service.people.passkeys.register("ada", "Laptop", response, origin=ADA)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=200).map(encode)))
def test_any_client_data_is_refused_with_an_error_of_ours(text: str) -> None:
    try:
        challenge_of(text)
    except Unauthenticated:
        return


@pytest.mark.parametrize("nested", [b"[" * 12_000, b'{"a":' * 2_400, b"\x81" * 12_000])
async def test_deep_nesting_is_refused(service: AuthService, password: Secret, nested: bytes) -> None:
    with pytest.raises(Unauthenticated):
        challenge_of(encode(nested))
    made = Authenticator().create(await service.people.passkeys.registration_options("ada"))
    made["response"]["attestationObject"] = encode(nested)
    response = RegistrationResponse.model_validate(made)
    with pytest.raises(Forbidden):
        await service.people.passkeys.register("ada", "Laptop", response, origin=ADA)


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"id": 1},
        {"id": "AA", "rawId": "AA", "response": None},
        {"id": "AA", "rawId": "AA", "response": {"clientDataJSON": "\0", "authenticatorData": "A", "signature": "A"}},
        {"id": "A" * 2000, "rawId": "A", "response": {}},
    ],
)
async def test_malformed_responses_are_bad_input(service: AuthService, response: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await service.people.sign_in.with_passkey(None, response)
