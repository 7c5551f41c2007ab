"""Who may do what in a yard.

A yard asks everybody for a token from when it has a lasting admin. Whoever shows one is held to its roles, in any
yard. What a change needs is told by the events that it appends, within its own transaction, so that no verb can
forget to ask.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from modelyard.errors import AccessDenied
from modelyard.ports import Facts
from modelyard.records.access import Person, Role, Token

Appended = tuple[str, str, Mapping[str, str | int]]
"""Action, object and payload of an event."""
_HOUR = dt.timedelta(hours=1)
_NEEDS: dict[str, Role] = {
    "release": "deployer",
    "image": "deployer",
    "review": "reviewer",
    "token": "admin",
    "yard": "admin",
}
"""By the first part of an event's action; a developer does the rest."""
_LOOKS = ("package.checked", "package.reproduced", "window.examined")
"""Events of a look: whoever may look may put on record what was seen."""


class Guard:
    """Asked by a yard within each transaction."""

    def __init__(self, secret: str, *, clock: Callable[[], dt.datetime]) -> None:
        self._sha256 = digest(secret) if secret else ""
        self._clock = clock

    def read(self, facts: Facts) -> None:
        """Raise ``AccessDenied`` for somebody who may not even look."""
        self.identify(facts, "")

    def write(self, facts: Facts, actor: str) -> Person:
        """Who acts, with the use of their token put on record."""
        person = self.identify(facts, actor)
        if person.token and (token := facts.tokens.get(person.token)):
            now = _now(facts, self._clock())
            if token.used is None or now - token.used > _HOUR:
                facts.tokens.put(replace(token, used=now))
        return person

    def settle(self, person: Person, events: Sequence[Appended]) -> None:
        """Raise ``AccessDenied`` when what was done is more than the person may."""
        registered = {object_ for action, object_, _ in events if action == "version.registered"}
        for action, object_, payload in events:
            noun = action.partition(".")[0]
            if action == "version.tried" or (action == "version.admitted" and object_ not in registered):
                noun = "release"
            role = "viewer" if action in _LOOKS else _NEEDS.get(noun, "developer")
            if noun == "token":
                require_scope(person, str(payload.get("environments", "")))
            elif noun == "yard":
                require_scope(person, "")
            else:
                where = str(payload["environment"]) if role == "deployer" else None
                require(person, role, where)

    def identify(self, facts: Facts, actor: str) -> Person:
        """Who shows this secret; ``AccessDenied`` when it proves nobody, or none is shown and the yard asks."""
        if not self._sha256:
            if facts.tokens.asked():
                raise AccessDenied(
                    "This yard asks for a token: set MODELYARD_TOKEN to one that an admin made for you "
                    "('modelyard token create')."
                )
            return Person(name=actor)
        token = facts.tokens.by_sha256(self._sha256)
        if token is None:
            raise AccessDenied(
                "The token in MODELYARD_TOKEN is none of this yard; ask an admin for one, or unset it where none is asked for."
            )
        if token.revoked is not None:
            raise AccessDenied(
                f"The token {token.id} of {token.person} was revoked on {token.revoked:%Y-%m-%d %H:%M}; "
                "ask an admin for another."
            )
        if token.expires is not None and _now(facts, self._clock()) >= token.expires:
            raise AccessDenied(
                f"The token {token.id} of {token.person} expired on {token.expires:%Y-%m-%d %H:%M}; "
                "ask an admin for another."
            )
        return Person(name=token.person, token=token.id, roles=token.roles, environments=token.environments)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def require(person: Person, role: Role, environment: str | None = None) -> None:
    """Raise ``AccessDenied`` unless the person has the role, in the environment where one is given."""
    if role != "viewer" and role not in person.roles and "admin" not in person.roles:
        raise AccessDenied(
            f"This needs the role '{role}', and the token {person.token} of {person.name} has "
            f"{', '.join(person.roles)}; ask an admin for another."
        )
    if environment is not None and person.environments and environment not in person.environments:
        raise AccessDenied(
            f"The token {person.token} of {person.name} is for {', '.join(person.environments)}, not for "
            f"{environment}; ask an admin for another."
        )


def require_scope(person: Person, environments: str) -> None:
    """Raise ``AccessDenied`` unless the person is admin of all of these (none: of the whole yard)."""
    require(person, "admin")
    asked = {name for name in environments.split(", ") if name}
    if person.environments and not (asked and asked <= set(person.environments)):
        raise AccessDenied(
            f"The token {person.token} of {person.name} is an admin's for {', '.join(person.environments)} alone; "
            "this needs one of the whole yard."
        )


def sole(token: Token, tokens: Sequence[Token]) -> bool:
    """Whether the yard would ask nobody for a token without it."""
    return token.guards and not any(other.guards for other in tokens if other.id != token.id)


def _now(facts: Facts, clock: dt.datetime) -> dt.datetime:
    """The clock's time, or that of the newest event: a clock that was set back brings no token to life again."""
    newest = facts.events.newest()
    return max(clock, newest.ts) if newest else clock
