"""From a reference such as ``screening@prod`` to the version that it names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.records.registry import Version

_REF = re.compile(r"(?P<name>[a-z][a-z0-9_-]{0,62})(?:@(?P<selector>[A-Za-z0-9][A-Za-z0-9_-]{0,63}))?")


def parse(ref: str) -> tuple[str, str | None]:
    """Name and selector of ``NAME`` or ``NAME@SELECTOR``; ``Misuse`` for anything else."""
    match = _REF.fullmatch(ref)
    if match is None:
        raise Misuse(f"{ref!r} is no reference; write NAME, NAME@7, NAME@prod or NAME@latest.")
    return match["name"], match["selector"]


def resolve(facts: Facts, ref: str, environments: Iterable[str]) -> Version:
    """The version that ``NAME@7``, ``NAME@prod`` (live there), ``NAME@ALIAS``, ``NAME@latest`` or ``NAME`` names.

    An environment comes before an alias of its name, which was there before it.

    Raises ``UnknownName`` saying what is there instead.
    """
    name, selector = parse(ref)
    if selector is None or selector == "latest":
        latest = facts.versions.latest(name)
        if latest is None:
            raise _nothing(facts, name)
        return latest
    if selector.isdecimal():
        return registered(facts, name, int(selector))
    known = list(environments)
    found = (
        facts.versions.live(name, selector) if selector in known else facts.versions.aliased(name, selector)
    )
    if found is not None:
        return found
    if facts.versions.latest(name) is None:
        raise _nothing(facts, name)
    if selector not in known:
        aliases = [alias.name for alias in facts.aliases.list(name)]
        raise UnknownName(unknown("environment or alias", selector, [*known, *aliases]))
    raise UnknownName(
        f"Nothing of {name} is live in {selector}; run 'modelyard deploy {selector} {name}' first."
    )


def registered(facts: Facts, model: str, number: int) -> Version:
    """The version of that number; ``UnknownName`` when there is none."""
    latest = facts.versions.latest(model)
    if latest is None:
        raise _nothing(facts, model)
    found = facts.versions.get(model, number) if 0 < number <= latest.number else None
    if found is None:
        raise UnknownName(f"There is no {model}@{number}; the latest version is {latest.ref}.")
    return found


def unknown(noun: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not among the known ones."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"There is no {noun} '{name}'{hint}; known: {', '.join(names) or 'none'}."


def _nothing(facts: Facts, model: str) -> UnknownName:
    models = sorted({version.model for version in facts.versions.list()})
    if model in models or not models:
        return UnknownName(f"No version of '{model}' is registered yet; run 'modelyard build {model}' first.")
    return UnknownName(unknown("registered model", model, models))
