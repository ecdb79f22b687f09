"""Settings come from the environment; a wrong one is named."""

from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.base.settings import Settings


class Sample(Settings):
    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="LUCID_SAMPLE_")

    limit_s: int = Field(default=5, ge=1)
    key: Secret = Secret("")


def test_environment_and_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Sample.is_set("limit_s")
    monkeypatch.setenv("LUCID_SAMPLE_LIMIT_S", "7")
    assert Sample.is_set("limit_s")
    assert Sample.load().limit_s == 7
    assert Sample.load(limit_s=9).limit_s == 9


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    monkeypatch.setenv("LUCID_SAMPLE_KEY_FILE", str(tmp_path / "key"))
    assert Sample.is_set("key")
    assert Sample.load().key == Secret("s3cret")


def test_a_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LUCID_SAMPLE_KEY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(InvalidInput, match="LUCID_SAMPLE_KEY_FILE: No such file"):
        Sample.load()


def test_a_wrong_value_names_the_variable_and_shows_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_SAMPLE_LIMIT_S", "zero-xyz")
    with pytest.raises(InvalidInput) as caught:
        Sample.load()
    assert caught.value.field == "LUCID_SAMPLE_LIMIT_S"
    assert "zero-xyz" not in caught.value.detail
