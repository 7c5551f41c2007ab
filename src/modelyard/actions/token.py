"""``token``: what proves who somebody is."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence

import msgspec

from modelyard import registry
from modelyard.project import Project, fresh, now
from modelyard.records.access import Role, Token

PREFIX = "my_"
"""By which a secret is known for what it is, wherever it turns up."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is shown: all but what is kept of its secret."""

    id: str
    person: str
    roles: tuple[Role, ...]
    environments: tuple[str, ...]
    created: dt.datetime
    by: str
    expires: dt.datetime | None = None
    revoked: dt.datetime | None = None
    used: dt.datetime | None = None
    expired: bool = False
    secret: str = ""
    """Only when it was just made."""


def tokens(project: Project) -> list[Shown]:
    """All of them, by person; nobody can be told a secret again."""
    with project.yard.read() as facts:
        found = facts.tokens.list()
    return [_shown(token) for token in sorted(found, key=lambda token: (token.person, token.created))]


def create(
    project: Project,
    person: str,
    *,
    roles: Sequence[Role],
    environments: Sequence[str] = (),
    lasts: dt.timedelta | None = None,
    operation: str | None = None,
) -> Shown:
    """Make a token; its secret is in what is returned and nowhere else.

    The first admin's makes the yard ask everybody for a token.
    """
    for name in environments:
        project.environment(name)
    secret, token_id, made = PREFIX + secrets.token_urlsafe(32), secrets.token_hex(5), now()
    token = project.yard.once(
        operation or fresh("token"),
        project.actor,
        lambda facts: registry.create(
            facts,
            token_id=token_id,
            secret=secret,
            person=person,
            roles=roles,
            environments=environments,
            expires=made + lasts if lasts else None,
            by=project.actor,
            now=made,
        ),
        Token,
    )
    return msgspec.structs.replace(_shown(token), secret=secret)


def revoke(project: Project, token_id: str, *, last: bool = False, operation: str | None = None) -> Shown:
    """It proves nothing from now on."""
    return _shown(
        project.yard.once(
            operation or fresh("token"),
            project.actor,
            lambda facts: registry.revoke(facts, token_id=token_id, now=now(), last=last),
            Token,
        )
    )


def _shown(token: Token) -> Shown:
    told = msgspec.structs.asdict(token)
    del told["sha256"]
    return Shown(**told, expired=token.expires is not None and token.expires <= now())
