"""The base of all frozen values that cross a boundary."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable, validated value; unknown fields are refused; bytes are base64 in JSON. An error of validation does
    not show what was given, which may hold a secret."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", hide_input_in_errors=True
    )
