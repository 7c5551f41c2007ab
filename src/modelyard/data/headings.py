"""Columns that are not those expected, said with the file and the line of its header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from modelyard.data import csv
from modelyard.data.sources.staged import Staged

_NONE: Mapping[str, str] = MappingProxyType({})
_LISTED = 3


def heading(staged: Staged) -> str:
    """Where the columns are named: ``file, line n``, or the file of a form that has no such line."""
    return staged.origin if staged.form != "csv" else f"{staged.origin}, line {csv.header_line(staged.path)}"


def unlike(
    names: Sequence[str], known: Sequence[str], other: str, roles: Mapping[str, str] = _NONE
) -> str | None:
    """What sets the names apart from those known of ``other``, as the middle of a sentence.

    ``roles`` are what columns are for. Order is no difference.
    """
    gone = [name for name in known if name not in names]
    new = [name for name in names if name not in known]
    if gone and new:
        return f"no {_listed(gone, roles)}, which {other} has, but {_listed(new, _NONE)} instead"
    if gone:
        return f"no {_listed(gone, roles)}, which {other} has"
    return f"{_listed(new, _NONE)}, which {other} has not" if new else None


def _listed(names: Sequence[str], roles: Mapping[str, str]) -> str:
    told = [f"'{name}'" + (f", the {roles[name]}" if name in roles else "") for name in names[:_LISTED]]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"column{'s' if len(names) > 1 else ''} {', '.join(told)}{more}"
