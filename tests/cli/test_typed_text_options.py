"""Whether what is typed may be searched, as the operator says it."""

from typing import Any

import pytest

from lucid.cli.connect import policy_of
from lucid.cli.host_access import changed
from lucid.model.host import HostAccess
from lucid.model.policy import Policy

NOTHING: dict[str, Any] = {
    "users": None,
    "roles": None,
    "allow": None,
    "playback": None,
    "index_typed_text": None,
    "approval": None,
    "second_factor": None,
}


def test_it_is_off_unless_it_is_asked_for() -> None:
    assert not policy_of(["clipboard"], 60, 600, False).index_typed_text
    assert policy_of([], 60, 600, False, True) == Policy(idle_limit_s=60, total_limit_s=600, index_typed_text=True)


@pytest.mark.parametrize("on", [True, False])
def test_a_host_allows_it_or_not_and_keeps_the_rest(on: bool) -> None:
    before = HostAccess(policy=Policy(clipboard=True, playback=True, index_typed_text=not on))
    after = changed(before, **{**NOTHING, "index_typed_text": on})
    assert after.policy == Policy(clipboard=True, playback=True, index_typed_text=on)


def test_other_redirections_leave_it_as_it_is() -> None:
    before = HostAccess(policy=Policy(clipboard=True, idle_limit_s=60, playback=True, index_typed_text=True))
    after = changed(before, **{**NOTHING, "allow": ["audio"]})
    assert after.policy == Policy(audio=True, idle_limit_s=60, playback=True, index_typed_text=True)
    assert changed(before, **NOTHING) == before
