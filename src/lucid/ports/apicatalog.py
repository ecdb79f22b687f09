"""What the catalog says of the public API. Apart from api.py, so that reading the catalog loads no web framework."""

from lucid.base.ids import Name
from lucid.base.value import Value

API_PREFIX = "/api/v1"
PERMISSION_EXTENSION = "x-permission"
NO_PERMISSION = "public"
SIGNED_EXTENSION = "x-signed"
"""In an operation without permission: true where a request carries the signature of who sends it, so that there is
nothing to guess."""
PRINCIPAL_KEY = "lucid.principal"
"""Where the runtime puts the principal in the ASGI scope."""


class ApiCatalog(Value):
    """The prefixes of each service's routes, and files that anybody may read, as public path to service and path there
    (one that ends in `/` is everything below it). Bound by the runtime."""

    prefixes: dict[Name, tuple[str, ...]]
    published: dict[str, tuple[Name, str]]
