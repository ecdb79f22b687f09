"""Who makes a request, as the API gateway established it and states it to the services."""

from typing import Literal

from pydantic import Field

from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Permission, Role

Method = Literal["pwd", "otp", "hwk", "fed", "token"]
"""How somebody proved who they are (RFC 8176, and `token` for a personal API token)."""


class Principal(Value):
    """A person who was authenticated. `permissions` are those of the role, or fewer for an API token of smaller scope.
    `token` names the token that was shown, `session` the login that it belongs to (empty for an API token)."""

    user: Name
    role: Role
    permissions: frozenset[Permission]
    methods: tuple[Method, ...] = ()
    token: str = Field(max_length=64)
    session: str = Field(default="", max_length=64)

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions
