"""Settings: typed fields read from the environment, in this one place."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret


class Settings(BaseSettings):
    """Base of every service's settings. A field `idle_limit_s` of a class with
    `env_prefix="LUCID_RDP_CONTROLLER_"` is read from `LUCID_RDP_CONTROLLER_IDLE_LIMIT_S`; a Secret field
    `log_key` also from the file that `LUCID_…_LOG_KEY_FILE` names.

    Fields name their unit (`_s`, `_ms`, `_bytes`) and describe themselves with `Field(description=...)`.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", defer_build=True, env_prefix="LUCID_", hide_input_in_errors=True
    )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; `overrides` win. Raises InvalidInput that names the variable."""
        prefix = cls.model_config.get("env_prefix", "")
        for name, field in cls.model_fields.items():
            variable = f"{prefix}{name}_FILE".upper()
            if field.annotation is Secret and name not in overrides and (path := os.environ.get(variable)):
                try:
                    overrides[name] = Secret(Path(path).read_text().strip())
                except OSError as error:
                    raise InvalidInput(f"{variable}: {error.strerror}: {path}", field=variable) from None
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            variable = f"{prefix}{'.'.join(str(part) for part in first['loc'])}".upper()
            raise InvalidInput(f"{variable}: {first['msg']}", field=variable) from None

    @classmethod
    def is_set(cls, name: str) -> bool:
        """Whether the environment gives the field a value, by itself or as a file."""
        variable = f"{cls.model_config.get('env_prefix', '')}{name}".upper()
        return variable in os.environ or f"{variable}_FILE" in os.environ
