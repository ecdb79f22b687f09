"""Authenticator apps and recovery codes: enrolment, logins, and what is refused."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lucid.access.acts import Origin
from lucid.access.factors import recovery
from lucid.access.factors.totp import STEP_S, matching_step, new_secret
from lucid.access.seal import AccountSeal
from lucid.base.clock import format_time, parse_time
from lucid.base.errors import Conflict, Corrupted, Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.services.lucid_auth_service.service import AuthService
from tests.files import bytes_below
from tests.services.lucid_auth_service.auth_kit import (
    SETTINGS,
    MemoryBus,
    MemoryLog,
    RevokedLogins,
    Trail,
    TurnedClock,
)

ADA = Origin("ada", "192.0.2.7", "request-1")


class App:
    """An authenticator app (RFC 6238) as pyotp does it, on the tests' clock."""

    def __init__(self, secret: Secret, clock: TurnedClock) -> None:
        self._totp = pyotp.TOTP(secret.reveal())
        self._clock = clock

    def code(self, *, late_s: float = 0) -> Secret:
        return Secret(self._totp.at(int(parse_time(self._clock.now()).timestamp() + late_s)))


async def enrolled(service: AuthService, clock: TurnedClock, name: str = "ada") -> tuple[Secret, App, list[str]]:
    """A new account with an app: its password, the app, its recovery codes; in a new time step."""
    password = await service.accounts.create(name=name, role="user")
    offer = await service.people.second_factors.offer_totp(name)
    app = App(offer.secret, clock)
    codes = await service.people.second_factors.confirm_totp(name, app.code(), origin=ADA)
    assert codes is not None
    clock.turn(STEP_S)
    return password, app, codes


async def pending(service: AuthService, password: Secret) -> Secret:
    step = await service.people.sign_in.begin("ada", password)
    assert step.pending is not None
    return step.pending


async def test_a_password_is_enough_without_a_second_factor(service: AuthService) -> None:
    password = await service.accounts.create(name="ada", role="developer")
    step = await service.people.sign_in.begin("ada", password)
    assert step.pending is None
    assert step.complete is not None
    assert (step.complete.account.name, step.complete.methods) == ("ada", ("pwd",))


async def test_an_app_is_enrolled_and_asked_for(service: AuthService, clock: TurnedClock, trail: Trail) -> None:
    password, app, codes = await enrolled(service, clock)
    assert len(set(codes)) == 10
    step = await service.people.sign_in.begin("ada", password)
    assert step.complete is None
    assert step.factors == ("totp", "recovery")
    assert step.pending is not None
    done = await service.people.sign_in.with_code(step.pending, app.code())
    assert (done.account.name, done.methods) == ("ada", ("pwd", "otp"))
    assert done.account.second_factors == ("totp",)
    assert trail.acts == ["account.created", "totp.enrolled"]
    enrolment = trail.seen[1]
    assert (enrolment.actor, enrolment.address, enrolment.request) == ("ada", "192.0.2.7", "request-1")
    assert enrolment.accountable


async def test_a_pending_login_is_good_once(service: AuthService, clock: TurnedClock) -> None:
    password, app, _ = await enrolled(service, clock)
    waiting = await pending(service, password)
    await service.people.sign_in.with_code(waiting, app.code())
    clock.turn(STEP_S)
    with pytest.raises(Unauthenticated, match="login is unknown, used or expired"):
        await service.people.sign_in.with_code(waiting, app.code())


async def test_a_pending_login_ends(service: AuthService, documents: SqliteDocuments, clock: TurnedClock) -> None:
    password, app, _ = await enrolled(service, clock)
    waiting = await pending(service, password)
    clock.turn(SETTINGS.sign_in_life_s)
    with pytest.raises(Unauthenticated, match="expired"):
        await service.people.sign_in.with_code(waiting, app.code())
    assert await service.sweep() == 1


async def test_a_wrong_code_leaves_the_login_pending(service: AuthService, clock: TurnedClock, trail: Trail) -> None:
    password, app, _ = await enrolled(service, clock)
    waiting = await pending(service, password)
    for wrong in ("000000", "", "x", "1234567", "١٢٣٤٥٦", "a\x00b", "aaaa-aaaa-aaaa-aaaa"):
        with pytest.raises(Unauthenticated, match="wrong or was used"):
            await service.people.sign_in.with_code(waiting, Secret(wrong))
        clock.turn(60)
        waiting = await pending(service, password)
    await service.people.sign_in.with_code(waiting, app.code())
    assert trail.acts[2:] == ["factor.failed denied"] * 7
    assert {event.actor for event in trail.seen[2:]} == {"ada"}


async def test_a_code_is_good_once(service: AuthService, clock: TurnedClock) -> None:
    password, app, _ = await enrolled(service, clock)
    code = app.code()
    await service.people.sign_in.with_code(await pending(service, password), code)
    for turned_s in (0, STEP_S):
        clock.turn(turned_s)
        with pytest.raises(Unauthenticated):
            await service.people.sign_in.with_code(await pending(service, password), code)
    await service.people.sign_in.with_code(await pending(service, password), app.code())


async def test_the_code_of_the_enrolment_is_used_up(service: AuthService, clock: TurnedClock) -> None:
    password, app, _ = await enrolled(service, clock)
    with pytest.raises(Unauthenticated):
        await service.people.sign_in.with_code(await pending(service, password), app.code(late_s=-STEP_S))


async def test_of_equal_codes_at_once_one_wins(service: AuthService, clock: TurnedClock) -> None:
    password, app, codes = await enrolled(service, clock)
    for code in (app.code(), Secret(codes[0])):
        waiting = [await pending(service, password) for _ in range(4)]
        logins = [service.people.sign_in.with_code(one, code) for one in waiting]
        outcomes = await asyncio.gather(*logins, return_exceptions=True)
        assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
        clock.turn(SETTINGS.forget_failures_s)


async def test_guessed_codes_have_to_pause_whatever_the_password_does(service: AuthService, clock: TurnedClock) -> None:
    password, app, _ = await enrolled(service, clock)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await service.people.sign_in.with_code(await pending(service, password), Secret("000000"))
    with pytest.raises(TooManyRequests) as caught:
        await service.people.sign_in.with_code(await pending(service, password), app.code())
    assert caught.value.retry_after_s == 1
    clock.turn(1)
    await service.people.sign_in.with_code(await pending(service, password), app.code())
    with pytest.raises(Unauthenticated):  # the count is cleared
        await service.people.sign_in.with_code(await pending(service, password), Secret("000000"))


async def test_recovery_codes_are_good_once(service: AuthService, clock: TurnedClock, trail: Trail) -> None:
    password, _, codes = await enrolled(service, clock)
    for code in (codes[0], codes[1].upper().replace("-", " ")):
        await service.people.sign_in.with_code(await pending(service, password), Secret(code))
        with pytest.raises(Unauthenticated):
            await service.people.sign_in.with_code(await pending(service, password), Secret(code))
    assert len((await service.people.store.get("ada")).recovery) == 8
    assert trail.acts[2:] == ["recovery.used", "factor.failed denied"] * 2


async def test_renewed_recovery_codes_replace_the_old(service: AuthService, clock: TurnedClock) -> None:
    password, _, codes = await enrolled(service, clock)
    renewed = await service.people.second_factors.renew_recovery("ada", origin=ADA)
    assert not set(codes) & set(renewed)
    with pytest.raises(Unauthenticated):
        await service.people.sign_in.with_code(await pending(service, password), Secret(codes[0]))
    await service.people.sign_in.with_code(await pending(service, password), Secret(renewed[0]))


async def test_without_a_second_factor_there_is_nothing_to_recover(service: AuthService) -> None:
    await service.accounts.create(name="ada", role="user")
    with pytest.raises(Conflict):
        await service.people.second_factors.renew_recovery("ada", origin=ADA)
    with pytest.raises(NotFound):
        await service.people.second_factors.remove_totp("ada", origin=ADA)


async def test_an_enrolment_has_to_be_confirmed_in_time(service: AuthService, clock: TurnedClock) -> None:
    await service.accounts.create(name="ada", role="user")
    factors = service.people.second_factors
    with pytest.raises(Conflict):
        await factors.confirm_totp("ada", Secret("123456"), origin=ADA)
    app = App((await factors.offer_totp("ada")).secret, clock)
    with pytest.raises(Forbidden):
        await factors.confirm_totp("ada", Secret("000000"), origin=ADA)
    assert (await service.accounts.get(name="ada")).second_factors == ()
    clock.turn(SETTINGS.totp_offer_s)
    with pytest.raises(Conflict):
        await factors.confirm_totp("ada", app.code(), origin=ADA)


async def test_a_new_app_takes_the_place_of_the_old_when_it_is_confirmed(
    service: AuthService, clock: TurnedClock
) -> None:
    password, old, _ = await enrolled(service, clock)
    new = App((await service.people.second_factors.offer_totp("ada")).secret, clock)
    await service.people.sign_in.with_code(await pending(service, password), old.code())
    assert await service.people.second_factors.confirm_totp("ada", new.code(), origin=ADA) is None
    clock.turn(STEP_S)
    with pytest.raises(Unauthenticated):
        await service.people.sign_in.with_code(await pending(service, password), old.code())
    await service.people.sign_in.with_code(await pending(service, password), new.code())


async def test_without_its_last_factor_an_account_logs_in_by_password(service: AuthService, clock: TurnedClock) -> None:
    password, _, _ = await enrolled(service, clock)
    await service.people.second_factors.remove_totp("ada", origin=ADA)
    assert (await service.people.sign_in.begin("ada", password)).complete is not None
    assert (await service.people.store.get("ada")).recovery == ()


@pytest.mark.parametrize("change", ["lock", "remove", "password", "reset"])
async def test_a_pending_login_does_not_outlive_what_it_began_with(
    service: AuthService, clock: TurnedClock, change: str
) -> None:
    password, app, _ = await enrolled(service, clock)
    waiting = await pending(service, password)
    match change:
        case "lock":
            await service.accounts.change(name="ada", locked=True)
        case "remove":
            await service.accounts.remove(name="ada")
        case "password":
            new = Secret("a wholly different phrase")
            await service.accounts.set_password(name="ada", current=password, new=new, origin=ADA)
        case "reset":
            await service.accounts.reset_password(name="ada")
    with pytest.raises(Unauthenticated, match="begin again"):
        await service.people.sign_in.with_code(waiting, app.code())


async def test_a_reset_password_takes_the_second_factors_away(
    service: AuthService, clock: TurnedClock, trail: Trail, logins: RevokedLogins
) -> None:
    old, _, _ = await enrolled(service, clock)
    password = await service.accounts.reset_password(name="ada")
    assert logins.users == ["ada"]
    with pytest.raises(Unauthenticated):
        await service.people.sign_in.begin("ada", old)
    assert (await service.people.sign_in.begin("ada", password)).complete is not None
    assert trail.acts[2:] == ["password.reset", "login.failed denied"]


async def test_the_port_checks_codes_too(service: AuthService, clock: TurnedClock) -> None:
    _, app, codes = await enrolled(service, clock)
    await service.accounts.check_second_factor(name="ada", code=app.code())
    await service.accounts.check_second_factor(name="ada", code=Secret(codes[0]))
    for name, code in (("ada", app.code()), ("nobody", app.code()), ("ada", Secret(codes[0]))):
        with pytest.raises(Unauthenticated):
            await service.accounts.check_second_factor(name=name, code=code)
    await service.accounts.change(name="ada", locked=True)
    with pytest.raises(Unauthenticated):
        await service.accounts.check_second_factor(name="ada", code=Secret(codes[1]))


async def test_secrets_and_codes_are_neither_stored_nor_logged(
    service: AuthService, clock: TurnedClock, tmp_path: Path, trail: Trail
) -> None:
    with capture_logs() as logs:
        password = await service.accounts.create(name="ada", role="user")
        offer = await service.people.second_factors.offer_totp("ada")
        app = App(offer.secret, clock)
        codes = await service.people.second_factors.confirm_totp("ada", app.code(), origin=ADA)
        waiting = await pending(service, password)
    assert codes is not None
    stored = bytes_below(tmp_path)
    secrets = [offer.secret.reveal(), password.reveal(), waiting.reveal(), *codes, *(c.replace("-", "") for c in codes)]
    for secret in secrets:
        assert secret not in str(logs) + str(trail.seen) + repr(offer)
        assert secret.encode() not in stored


async def test_another_key_opens_nothing(service: AuthService, documents: SqliteDocuments, clock: TurnedClock) -> None:
    _, app, _ = await enrolled(service, clock)
    settings = SETTINGS.model_copy(update={"account_seal_key": Secret("6b" * 32)})
    other = AuthService(settings, documents=documents, bus=MemoryBus(), anchoring=MemoryLog(), clock=clock)
    with pytest.raises(Corrupted):
        await other.accounts.check_second_factor(name="ada", code=app.code())


def test_a_sealed_secret_stays_with_its_account() -> None:
    seal = AccountSeal(Secret("5a" * 32))
    sealed = seal.seal("totp-secret", "ada", Secret("text"))
    assert seal.open("totp-secret", "ada", sealed) == Secret("text")
    for purpose, name, text in (("totp-secret", "bob", sealed), ("other", "ada", sealed), ("totp-secret", "ada", "!")):
        with pytest.raises(Corrupted):
            seal.open(purpose, name, text)
    with pytest.raises(InvalidInput):
        AccountSeal(Secret("short"))


@given(now=st.integers(0, 2**32), drift=st.integers(-5, 5), last=st.integers(-5, 5))
def test_a_code_counts_within_a_step_and_behind_the_last_used(now: int, drift: int, last: int) -> None:
    secret, present = new_secret(), now // STEP_S
    code = Secret(pyotp.TOTP(secret.reveal()).generate_otp(present + drift) if present + drift >= 0 else "none")
    moment = format_time(datetime.fromtimestamp(now, UTC))
    step = matching_step(secret, code, now=moment, after=present + last)
    if step is not None:  # codes of two steps may be equal by chance
        assert abs(step - present) <= 1
        assert step > present + last
    elif abs(drift) <= 1 and present + drift >= 0:
        assert drift <= last


@pytest.mark.parametrize(
    ("time", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
)
def test_the_vectors_of_rfc_6238(time: int, code: str) -> None:
    """Appendix B, the last six of its eight digits."""
    secret = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")  # the ASCII text 12345678901234567890
    now = format_time(datetime.fromtimestamp(time, UTC))
    assert matching_step(secret, Secret(code), now=now, after=0) == time // STEP_S
    assert matching_step(secret, Secret(f" {code[:3]} {code[3:]} "), now=now, after=0) == time // STEP_S


@given(st.text(max_size=80))
def test_any_text_may_be_tried_as_a_code(text: str) -> None:
    assert matching_step(new_secret(), Secret(text), now="2026-11-22T21:42:00.000000Z", after=2**40) is None
    assert len(recovery.hash_code(AccountSeal(Secret("5a" * 32)), "ada", text)) == 64
