"""Versions by a filter such as ``metrics.roc_auc > 0.9 and tags.team = 'risk' and not deprecated``.

It is written in the language of rules between columns (``tables.expressions``); its columns are what
``Versions.search`` names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.records.registry import Version
from modelyard.records.schema import Kind
from modelyard.tables.expressions import BadExpression, Expression, judge, parse

_OWN: dict[str, Kind] = {
    "version": "integer",
    "registered": "datetime",
    "by": "string",
    "dataset": "string",
    "run": "string",
    "note": "string",
    "deprecated": "boolean",
}
_GROUPS: dict[str, Kind] = {
    "metrics": "float",
    "tags": "string",
    "aliases": "boolean",
    "admitted": "boolean",
    "live": "boolean",
}
_OPEN: tuple[Literal["metrics", "tags", "aliases"], ...] = ("metrics", "tags", "aliases")
"""Groups whose names nobody declares."""


def search(
    facts: Facts, where: str, *, environments: Iterable[str], model: str | None = None
) -> list[Version]:
    """Versions of which the filter is true, by model and number, ascending.

    Raises ``Misuse`` for what cannot be read, and ``UnknownName`` when nothing matches and the filter names what
    no version has.
    """
    found = _read(where, tuple(environments))

    def condition(values: Any) -> tuple[Any, Any]:
        return judge(found.term, values)

    matching = facts.versions.search(condition, model)
    if not matching:
        _refuse_strangers(facts, found, model)
    return matching


def choose(facts: Facts, model: str, where: str, *, environments: Iterable[str], admitted: str) -> Version:
    """The newest version that ``admitted`` has admitted, that is not deprecated, and of which the filter is true."""
    may = {admission.version for admission in facts.admissions.list(admitted, model)}
    out = {marks.version for marks in facts.labels.list(model) if marks.deprecated}
    matching = search(facts, where, environments=environments, model=model)
    chosen = [version for version in matching if version.number in may - out]
    if not chosen:
        raise UnknownName(
            f"No version of {model} matches {where!r} that is admitted to {admitted} and not deprecated; "
            f"{len(matching)} would match otherwise."
        )
    return chosen[-1]


def _read(where: str, environments: tuple[str, ...]) -> Expression:
    try:
        return parse(where, _Names(environments))
    except BadExpression as error:
        raise Misuse(f"The filter {where!r} cannot be read: {error}.") from None


class _Names(Mapping[str, Kind]):
    """What a filter may name, with its kind."""

    def __init__(self, environments: tuple[str, ...]) -> None:
        self._environments = environments

    def __getitem__(self, name: str) -> Kind:
        if name in _OWN:
            return _OWN[name]
        group, _, key = name.partition(".")
        if group not in _GROUPS or not key:
            near = difflib.get_close_matches(name, list(self), n=1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise BadExpression(f"'{name}' is nothing of a version{hint}; known: {', '.join(self)}")
        if group in ("admitted", "live") and key not in self._environments:
            known = ", ".join(self._environments) or "none"
            raise BadExpression(f"'{name}' names no environment; known: {known}")
        return _GROUPS[group]

    def __iter__(self) -> Iterator[str]:
        yield from _OWN
        yield from (f"{group}.NAME" for group in _GROUPS)

    def __len__(self) -> int:
        return len(_OWN) + len(_GROUPS)


def _refuse_strangers(facts: Facts, expression: Expression, model: str | None) -> None:
    for name in expression.columns:
        group, _, key = name.partition(".")
        for open_ in _OPEN:
            if group != open_:
                continue
            known = facts.versions.known(open_, model)
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f" (did you mean '{group}.{near[0]}'?)" if near else ""
                whose = f"of {model} " if model else ""
                raise UnknownName(
                    f"No version {whose}has '{name}'{hint}; known: "
                    f"{', '.join(f'{group}.{one}' for one in known[:20]) or 'none'}."
                )
