"""A value that does not show itself in logs, tracebacks, repr or JSON."""

import hmac
from typing import Any

from pydantic import GetCoreSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, core_schema

REVEAL = "lucid-reveal-secrets"
"""Key of the serialization context under which secrets are written out: only service-to-service calls
and sealed documents set it."""


class Secret:
    """A text secret. `reveal()` is the one way to its value; comparison takes constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(**********)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def parse(value: str | Secret) -> Secret:
            return value if isinstance(value, Secret) else cls(value)

        def show(value: Secret, info: SerializationInfo) -> str:
            revealed = isinstance(info.context, dict) and info.context.get(REVEAL) is True
            return value.reveal() if revealed else "**********"

        return core_schema.no_info_after_validator_function(
            parse,
            core_schema.union_schema([core_schema.is_instance_schema(cls), core_schema.str_schema()]),
            serialization=core_schema.plain_serializer_function_ser_schema(show, info_arg=True, when_used="json"),
        )
