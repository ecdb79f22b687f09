"""A login that is revoked while a request of it opens a stream."""

import pytest

from lucid.base.clock import shift_time
from lucid.ports.access import Revocation
from lucid.services.api_gateway.streams import Streams
from tests.asking import person
from tests.clocks import TurnedClock


@pytest.mark.parametrize(
    ("age_s", "ended"),
    [pytest.param(2.0, True, id="checked before"), pytest.param(0.5, False, id="a later login")],
)
def test_revoking_all_logins_ends_what_was_being_opened(age_s: float, ended: bool) -> None:
    clock = TurnedClock()
    streams, ada = Streams(clock), person("user")
    streams.end(Revocation(user=ada.user, time=clock.now()))
    clock.advance(1)
    with streams.opened(ada, age_s=age_s) as event:
        assert event.is_set() == ended


def test_revoking_one_login_ends_what_it_was_opening_and_nothing_else() -> None:
    clock = TurnedClock()
    streams, ada = Streams(clock), person("user")
    streams.end(Revocation(user=ada.user, session="another", time=clock.now()))
    with streams.opened(ada, age_s=1) as event:
        assert not event.is_set()
        streams.end(Revocation(user=ada.user, session=ada.session, time=clock.now()))
        assert event.is_set()
    with streams.opened(ada, age_s=1) as event:
        assert event.is_set()


def test_what_was_revoked_long_ago_is_forgotten() -> None:
    clock = TurnedClock()
    streams, ada = Streams(clock), person("user")
    streams.end(Revocation(user=ada.user, session=ada.session, time=clock.now()))
    clock.advance(3600)
    streams.end(Revocation(user="another", session="other", time=shift_time(clock.now(), 0)))
    with streams.opened(ada, age_s=1) as event:
        assert not event.is_set()
