"""Who may do what: tokens, and the person that one proves."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

TOKEN = "MODELYARD_TOKEN"
"""The variable that holds a secret."""
Role = Literal["viewer", "developer", "reviewer", "deployer", "admin"]


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a secret proves; the secret itself is nowhere."""

    id: str
    """Names it in lists and in the audit trail."""
    person: str
    roles: tuple[Role, ...]
    environments: tuple[str, ...] = ()
    """Where its roles count; none: everywhere."""
    sha256: str
    """Of the secret. It has 256 random bits, which nobody guesses, so a slow hash would only cost time."""
    created: dt.datetime
    by: str
    expires: dt.datetime | None = None
    revoked: dt.datetime | None = None
    used: dt.datetime | None = None
    """When it last was, to the hour."""

    @property
    def guards(self) -> bool:
        """Whether a yard that has it asks everybody for a token: an admin's of the whole yard, for good."""
        lasting = self.expires is None and self.revoked is None
        return lasting and "admin" in self.roles and not self.environments


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts."""

    name: str
    token: str = ""
    """Id of the token that proves the name; empty: it is asserted."""
    roles: tuple[Role, ...] = ("admin",)
    """By default what anybody may in a yard that asks for no token."""
    environments: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        return bool(self.token)
