"""Names that people move from version to version."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.records.registry import Alias
from modelyard.registry.resolve import registered

RESERVED = ("latest", "run")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def alias(
    facts: Facts,
    *,
    model: str,
    version: int,
    name: str,
    environments: Iterable[str],
    by: str,
    now: dt.datetime,
) -> Alias:
    """Give the name to the version; it is taken from the one that had it.

    Raises ``Misuse`` for a name that means something else in a reference already.
    """
    found = registered(facts, model, version)
    if not _ALIAS.fullmatch(name):
        raise Misuse(f"{name!r} is no alias: small letters, digits, '_' and '-', a letter first, 63 at most.")
    if name in RESERVED:
        raise Misuse(f"'{name}' cannot be an alias: {model}@{name} means something else already.")
    if name in set(environments):
        raise Misuse(f"'{name}' cannot be an alias: {model}@{name} is what is live in that environment.")
    before = facts.aliases.get(model, name)
    if before and before.version == version:
        return before
    given = Alias(model=model, name=name, version=version, by=by, given=now)
    facts.aliases.put(given)
    facts.events.append("version.aliased", found.ref, alias=name, before=before.version if before else 0)
    return given


def unalias(facts: Facts, *, model: str, name: str) -> Alias:
    """Take the name away; the alias that it was. Raises ``UnknownName``."""
    before = facts.aliases.get(model, name)
    if before is None:
        known = ", ".join(found.name for found in facts.aliases.list(model)) or "none"
        raise UnknownName(f"{model} has no alias '{name}'; known: {known}.")
    facts.aliases.remove(model, name)
    facts.events.append("version.unaliased", f"{model}@{before.version}", alias=name)
    return before
