"""Texts that are none of the kind that their column is known to be of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from modelyard.data.typed import Unlike
from modelyard.errors import DataRefused
from modelyard.records.schema import Column
from modelyard.tables.rules import WANTED, value_fault


class Unread(NamedTuple):
    """A value that is none of its column's kind; ``message`` says so without its place."""

    origin: str
    row: int
    """In its file, counted from 1."""
    column: Column
    value: str
    message: str


Refuse = Callable[[Sequence[Unread], Mapping[str, int]], DataRefused]
"""From the first values that cannot be read, and how many there are by column, to the refusal."""


def refusal(unread: Sequence[Unread], counts: Mapping[str, int]) -> DataRefused:
    """Of the first value, and how many others there are."""
    first, others = unread[0], sum(counts.values()) - 1
    more = f" ({others} more like it.)" if others else ""
    return DataRefused(f"{first.origin}, row {first.row}: {first.message}{more}")


def told(
    origin: str, before: int, unlike: Mapping[str, Unlike], hints: Mapping[str, Column]
) -> Iterator[Unread]:
    """One piece's values in the order of the rows; ``before`` it the file has so many rows."""
    wrong = [(row, name, value) for name, found in unlike.items() for row, value in found.first]
    for row, name, value in sorted(wrong):
        hint = hints[name]
        fault = value_fault(hint, value)
        message = fault.message if fault else f"'{name}' must be {WANTED[hint.kind]}."
        yield Unread(origin, before + row + 1, hint, value, message)
