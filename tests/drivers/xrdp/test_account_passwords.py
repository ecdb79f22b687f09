"""What reaches chpasswd, which works as root and takes a password a line."""

import pytest

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.drivers.xrdp import accounts


@pytest.mark.parametrize("end", ["\nroot:mine", "\r", "\0", "\u2028"])
def test_a_password_is_one_line(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[str]()
    monkeypatch.setattr(accounts, "account", lambda group, user: None)
    monkeypatch.setattr(accounts, "run", lambda *arguments, stdin="": given.append(stdin))
    accounts.set_password("lucid-desktops", "lucid-ada-1", Secret("a long one"))
    with pytest.raises(InvalidInput):
        accounts.set_password("lucid-desktops", "lucid-ada-1", Secret(f"a long one{end}"))
    assert given == ["lucid-ada-1:a long one\n"]
