"""Secrets show themselves on demand alone."""

import json

import pytest
import structlog
from pydantic import BaseModel, ValidationError

from lucid.base.logging import redact
from lucid.base.secret import REVEAL, Secret
from lucid.base.value import Value


class Login(BaseModel):
    user: str
    password: Secret


def test_a_secret_hides_in_repr_str_and_json() -> None:
    login = Login(user="ann", password=Secret("hunter2"))
    assert "hunter2" not in repr(login) + str(login) + login.model_dump_json() + f"{login.password}"


def test_a_secret_is_written_out_where_the_context_says_so() -> None:
    text = Login(user="ann", password=Secret("hunter2")).model_dump_json(context={REVEAL: True})
    assert json.loads(text)["password"] == "hunter2"
    assert Login.model_validate_json(text).password == Secret("hunter2")


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_logs_are_redacted_by_key_and_by_type() -> None:
    event: structlog.typing.EventDict = {"event": "login", "user": "ann", "password": "x", "extra": Secret("y")}
    assert redact(None, "info", event) == {
        "event": "login",
        "user": "ann",
        "password": "**********",
        "extra": "**********",
    }


class SealedLogin(Value):
    user: str
    password: Secret


@pytest.mark.parametrize("text", ['{"password": "hunter2"}', '{"user": "ann", "passwort": "hunter2", "password": ""}'])
def test_an_error_of_validation_does_not_show_what_was_given(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SealedLogin.model_validate_json(text)
    assert "hunter2" not in str(caught.value)
