"""A batch's columns as rules ask for them, and values of requests as the decoder takes them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from modelyard.records.package import Layout
from modelyard.records.schema import Column
from modelyard.tables import rules
from modelyard.tables.batch import Batch
from modelyard.tables.expressions import COMPARED, COMPUTED, Operator, Sort
from modelyard.tables.rules import EXACT

_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class Cells:
    """A batch's columns, as ``expressions.Values`` asks for them; NaN and None are null."""

    def __init__(self, batch: Batch, places: Layout) -> None:
        self._batch = batch
        self._numbers = {name: at for at, name in enumerate(places.numbers)}
        self._texts = {name: at for at, name in enumerate(places.texts)}

    def column(self, name: str, sort: Sort) -> Any:
        if sort == "string":
            return self._batch.texts[:, self._texts[name]]
        return self._batch.numbers[:, self._numbers[name]]

    def constant(self, value: float | str) -> Any:
        return value if isinstance(value, str) else np.float64(value)

    def arithmetic(self, sign: str, left: Any, right: Any) -> Any:
        return COMPUTED[sign](left, right)

    def compare(self, sign: Operator, left: Any, right: Any) -> tuple[Any, Any]:
        known = self.is_null(left)[1] & self.is_null(right)[1]
        holds = COMPARED[sign](left, right)
        return holds & known, known & ~np.asarray(holds, dtype=bool)

    def is_null(self, value: Any) -> tuple[Any, Any]:
        null = value == np.array(None) if np.asarray(value).dtype.kind in "OU" else np.isnan(value)
        null = np.asarray(null, dtype=bool)
        return null, ~null


def days(text: str) -> float:
    day = rules.read_date(text)
    return math.inf if day is None else day.toordinal() - _EPOCH_DAY


def microseconds(text: str) -> float:
    moment = rules.read_datetime(text)
    return math.inf if moment is None else (moment - _EPOCH) // _MICROSECOND


def plain(value: object) -> object:
    """Python's own dates and times as the texts that requests have."""
    if isinstance(value, dt.datetime):
        return rules.in_utc(value).isoformat()
    return value.isoformat() if isinstance(value, dt.date) else value


def is_tensor(values: object, column: Column) -> bool:
    """Whether an array goes into the batch as it stands."""
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        return False
    if column.kind == "boolean":
        zeros_and_ones = values.dtype.kind in "iuf" and bool(np.isin(values, (0, 1)).all())
        return values.dtype.kind == "b" or zeros_and_ones
    if column.kind not in ("integer", "float") or values.dtype.kind not in "iuf":
        return False
    return values.dtype.kind == "f" or column.kind == "float" or bool((np.abs(values) <= EXACT).all())


def mapping(columns: Mapping[str, Any], kinds: Mapping[str, str], row: int) -> dict[str, object]:
    return {name: scalar(values[row], kinds.get(name)) for name, values in columns.items()}


def scalar(value: object, kind: str | None) -> object:
    if not isinstance(value, np.generic):
        return value
    own = value.item()
    if kind == "boolean" and isinstance(own, (int, float)):
        return None if own != own else bool(own) if own in (0, 1) else own
    return cast("object", own)
