"""Tokens are made and revoked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from msgspec.structs import replace

from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.records.access import Role, Token
from modelyard.registry.access import digest, sole

LONGEST = 120
"""Characters of a name."""


def create(
    facts: Facts,
    *,
    token_id: str,
    secret: str,
    person: str,
    roles: Sequence[Role],
    environments: Sequence[str] = (),
    expires: dt.datetime | None = None,
    by: str,
    now: dt.datetime,
) -> Token:
    """Let the secret prove the person from now on.

    Raises ``Misuse`` without a name or a role, for an end in the past, and for a yard's first admin whose token
    would expire: nobody could make another.
    """
    person = person.strip()
    if not person or len(person) > LONGEST or not person.isprintable():
        raise Misuse(f"A token is a person's or a program's: give a name of 1 to {LONGEST} characters.")
    if not roles:
        raise Misuse("A token without a role may nothing; give --role.")
    if expires is not None and expires <= now:
        raise Misuse(f"A token that expires on {expires:%Y-%m-%d %H:%M} has expired already.")
    token = Token(
        id=token_id,
        person=person,
        roles=tuple(dict.fromkeys(roles)),
        environments=tuple(dict.fromkeys(environments)),
        sha256=digest(secret),
        created=now,
        by=by,
        expires=expires,
    )
    if "admin" in roles and not token.guards and not facts.tokens.asked():
        raise Misuse(
            "The yard's first admin is of the whole yard and does not expire, since nobody else could make another "
            "token then; leave out --expires and --env."
        )
    facts.tokens.put(token)
    facts.events.append(
        "token.created",
        person,
        id=token.id,
        roles=", ".join(token.roles),
        environments=", ".join(token.environments),
        expires=expires.isoformat() if expires else "",
    )
    return token


def revoke(facts: Facts, *, token_id: str, now: dt.datetime, last: bool = False) -> Token:
    """The token proves nothing any more; a repeat changes nothing.

    Raises ``UnknownName``, and ``Misuse`` for the only lasting admin, unless ``last`` says that the yard is to ask for
    tokens no more.
    """
    token = facts.tokens.get(token_id)
    if token is None:
        raise UnknownName(f"There is no token {token_id}; see 'modelyard token'.")
    if token.revoked is not None:
        return token
    if sole(token, facts.tokens.list()) and not last:
        raise Misuse(
            f"The token {token.id} is the only admin's that lasts; make another first, or say --last, and the yard "
            "asks nobody for a token any more."
        )
    revoked = replace(token, revoked=now)
    facts.tokens.put(revoked)
    facts.events.append(
        "token.revoked", token.person, id=token.id, environments=", ".join(token.environments)
    )
    return revoked
