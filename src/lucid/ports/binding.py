"""How a port looks over HTTP: read off the Protocol once, used by the runtime (server) and the driver (client)."""

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model


@dataclass(frozen=True)
class Method:
    """One method of a port: `arguments` is the model of its JSON parameters, `body` the name of its bytes (or
    memoryview) parameter, `result` the adapter of what it returns (None when it returns bytes)."""

    port: str
    name: str
    arguments: type[BaseModel]
    body: str | None
    result: TypeAdapter[Any] | None

    @property
    def path(self) -> str:
        return f"/rpc/{self.port}/{self.name}"


@cache
def methods_of(port: type) -> tuple[Method, ...]:
    """The methods of a Protocol, in order. Raises TypeError for one that breaks the conventions of ports/."""
    methods = []
    for name, function in vars(port).items():
        if name.startswith("_") or not inspect.iscoroutinefunction(function):
            continue
        hints = get_type_hints(function, include_extras=True)
        returns = hints.pop("return")
        body, fields = None, {}
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                raise TypeError(f"{port.__name__}.{name}: {parameter.name} must be keyword-only")
            if hints[parameter.name] in (bytes, bytes | memoryview):
                body = parameter.name
            else:
                default = ... if parameter.default is inspect.Parameter.empty else parameter.default
                fields[parameter.name] = (hints[parameter.name], default)
        arguments: type[BaseModel] = create_model(  # type: ignore[call-overload]
            f"{port.__name__}{name.title()}", __config__=ConfigDict(extra="forbid"), **fields
        )
        result = None if returns is bytes else TypeAdapter(returns)
        methods.append(Method(port.__name__, name, arguments, body, result))
    return tuple(methods)
