"""How a port looks over HTTP: read off the Protocol once, used by the runtime (server) and the driver (client)."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

_BYTES = (bytes, bytes | memoryview)


@dataclass(frozen=True)
class Method:
    """One method of a port: `fields` are its JSON parameters, type and default by name, `body` the name of its bytes
    (or memoryview) parameter, `lent` those of memory that a caller in the same process lends, which does not travel.
    What checks them is made at the first call: most methods are never called in a process
    that knows them."""

    port: str
    name: str
    fields: Mapping[str, tuple[Any, Any]]
    body: str | None
    lent: frozenset[str]
    returns: Any

    @property
    def path(self) -> str:
        return f"/rpc/{self.port}/{self.name}"

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """The model of the JSON parameters."""
        made: type[BaseModel] = create_model(  # type: ignore[call-overload]
            f"{self.port}{self.name.title()}", __config__=ConfigDict(extra="forbid"), **self.fields
        )
        return made

    @cached_property
    def result(self) -> TypeAdapter[Any] | None:
        """The adapter of what it returns; None when it returns bytes (or a memoryview)."""
        return None if self.returns in _BYTES else TypeAdapter(self.returns)


@cache
def methods_of(port: type) -> tuple[Method, ...]:
    """The methods of a Protocol, in order. Raises TypeError for one that breaks the conventions of ports/."""
    methods = []
    for name, function in vars(port).items():
        if name.startswith("_") or not inspect.iscoroutinefunction(function):
            continue
        hints = get_type_hints(function, include_extras=True)
        returns = hints.pop("return")
        body, fields, lent = None, {}, set()
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                raise TypeError(f"{port.__name__}.{name}: {parameter.name} must be keyword-only")
            if hints[parameter.name] in _BYTES:
                body = parameter.name
            elif hints[parameter.name] == memoryview | None:
                lent.add(parameter.name)
            else:
                default = ... if parameter.default is inspect.Parameter.empty else parameter.default
                fields[parameter.name] = (hints[parameter.name], default)
        methods.append(Method(port.__name__, name, fields, body, frozenset(lent), returns))
    return tuple(methods)
