"""The identity that a service calls others with. Bound by the runtime, in every process."""

from typing import Protocol

from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.model.principal import Principal


class Signer(Protocol):
    """Signs for one service (lucid.crypto.identity.ServiceSigner)."""

    def token(self, audience: Name, principal: Principal | None = None) -> Secret:
        """A bearer token for calls to the service `audience`; `principal` is for the api-gateway alone."""
        ...
