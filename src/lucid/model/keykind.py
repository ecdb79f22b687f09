"""The kinds of secrets that an installation makes for itself."""

from typing import Literal

KeyKind = Literal["age-identity", "log-key", "aead-key", "token", "identity-key"]
