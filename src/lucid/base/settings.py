"""Settings: typed fields read from the environment, in this one place."""

import json
import os
from collections.abc import Container
from pathlib import Path
from typing import Any, ClassVar, Self, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret


class SettingsConfigDict(ConfigDict, total=False):
    """pydantic's, and what the names of the environment variables begin with."""

    env_prefix: str


class Settings(BaseModel):
    """Base of every service's settings. A field `idle_limit_s` of a class with
    `env_prefix="LUCID_RDP_CONTROLLER_"` is read from `LUCID_RDP_CONTROLLER_IDLE_LIMIT_S`, a tuple or dict as JSON; a
    Secret field `log_key` also from the file that `LUCID_…_LOG_KEY_FILE` names.

    Fields name their unit (`_s`, `_ms`, `_bytes`) and describe themselves with `Field(description=...)`.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        defer_build=True,
        env_prefix="LUCID_",
        hide_input_in_errors=True,
    )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; `overrides` win. Raises InvalidInput that names the variable."""
        prefix = cls.model_config.get("env_prefix", "")
        try:
            return cls(**cls.given(but=overrides), **overrides)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            variable = f"{prefix}{'.'.join(str(part) for part in first['loc'])}".upper()
            raise InvalidInput(f"{variable}: {first['msg']}", field=variable) from None

    @classmethod
    def given(cls, but: Container[str] = ()) -> dict[str, Any]:
        """What the environment says of the fields, `but` of these, not validated yet. Raises InvalidInput."""
        prefix = cls.model_config.get("env_prefix", "")
        found = {
            name: _given(f"{prefix}{name}".upper(), field.annotation)
            for name, field in cls.model_fields.items()
            if name not in but
        }
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def is_set(cls, name: str) -> bool:
        """Whether the environment gives the field a value, by itself or as a file."""
        variable = f"{cls.model_config.get('env_prefix', '')}{name}".upper()
        return variable in os.environ or f"{variable}_FILE" in os.environ


def _given(variable: str, annotation: Any) -> Any:
    """What the environment says for a field of that type, or None. Raises InvalidInput."""
    if annotation is Secret and (path := os.environ.get(f"{variable}_FILE")):
        try:
            return Secret(Path(path).read_text().strip())
        except OSError as error:
            raise InvalidInput(f"{variable}_FILE: {error.strerror}: {path}", field=f"{variable}_FILE") from None
    text = os.environ.get(variable)
    if text is None or get_origin(annotation) not in (tuple, dict):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidInput(f"{variable}: expected JSON", field=variable) from None
