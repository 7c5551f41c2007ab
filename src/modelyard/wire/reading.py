"""What a request comes down to on a surface that is not the native one, and what its reply is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.records.package import Label, Task
from modelyard.wire.problem import Problem

JSON = b"application/json"

Values = list[Any] | NDArray[Any]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What all replies of one model have in common."""

    model: str
    version: str
    model_id: str
    task: Task
    classes: tuple[Label, ...]
    datatype: str
    """Of ``prediction`` in the Open Inference Protocol."""
    levels: tuple[float, ...] = ()

    @property
    def beside(self) -> str | None:
        """What stands beside a prediction: ``probability``, ``quantiles`` or nothing."""
        return "probability" if self.classes else "quantiles" if self.levels else None


class Given(NamedTuple):
    """One request's answer; ``beside`` is [n][k] probabilities or quantiles."""

    told: Told
    request_id: str
    prediction: list[Any]
    beside: list[list[float]] | None


class Framed(NamedTuple):
    """A reply's body with its type and further header lines, each ended by CRLF."""

    body: bytes
    kind: bytes = JSON
    headers: bytes = b""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a request asks about: as columns of equal length by name, or ``flat``."""

    columns: Mapping[str, Values] = {}
    flat: Sequence[float] | NDArray[np.float64] | None = None
    """Where all features are numbers, every row's in the schema's order, one row after another."""
    id: str | None = None

    def by_columns(self, names: Sequence[str]) -> Self:
        """The same as columns, where it is flat."""
        if self.flat is None:
            return self
        columns = {name: self.flat[i :: len(names)] for i, name in enumerate(names)}
        return msgspec.structs.replace(self, columns=columns, flat=None)

    @property
    def size(self) -> int:
        """Elements of all columns."""
        return sum(map(len, self.columns.values()))

    def write(self, given: Given) -> Framed:
        """The reply in the surface's own form."""
        raise NotImplementedError

    def native_body(self) -> bytes:
        """The same rows as the native surface has them; NaN becomes null."""
        names = list(self.columns)
        lists = [v.tolist() if isinstance(v, np.ndarray) else v for v in self.columns.values()]
        return msgspec.json.encode(
            {"rows": [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]}
        )


def by_column(value: object, names: Sequence[str], *, what: str) -> dict[str, list[Any]]:
    """A table in JSON as columns: rows as objects or as lists in the order of ``names``, or columns by name.

    What is not among ``names`` is left aside. ``Problem`` 400 begins with ``what``.
    """
    if isinstance(value, dict):
        columns = value if all(isinstance(v, list) for v in value.values()) else _one_row(value)
        for name in names:
            if name not in columns:
                raise Problem(400, f"{what} has no '{name}': give every feature.", field=name)
        return _even({name: columns[name] for name in names}, what)
    if not isinstance(value, list) or not value:
        raise Problem(400, f"{what} holds no rows: give a list of rows, or an object of columns.")
    if isinstance(value[0], dict):
        return {name: _of_objects(value, name, what) for name in names}
    if isinstance(value[0], list):
        return _of_lists(value, names, what)
    if len(names) == 1:
        return {names[0]: value}
    raise Problem(400, f"{what} holds plain values, but a row has {len(names)} features.")


def _one_row(row: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [value] for name, value in row.items()}


def _even(columns: dict[str, list[Any]], what: str) -> dict[str, list[Any]]:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or not next(iter(lengths)):
        raise Problem(400, f"{what} has columns of {sorted(lengths)} values: give as many in each.")
    return columns


def _of_objects(rows: list[Any], name: str, what: str) -> list[Any]:
    try:
        return [row[name] for row in rows]
    except (KeyError, TypeError):
        at = next(i for i, row in enumerate(rows) if not isinstance(row, dict) or name not in row)
    if isinstance(rows[at], dict):
        raise Problem(400, f"{what}: row {at} has no '{name}': give every feature.", field=name)
    raise Problem(400, f"{what}: row {at} is no object as the rows before it.")


def _of_lists(rows: list[Any], names: Sequence[str], what: str) -> dict[str, list[Any]]:
    for at, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            seen = f"{len(row)} values" if isinstance(row, list) else "no list of values"
            raise Problem(400, f"{what}: row {at} has {seen}; a row has {len(names)} here.")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}
