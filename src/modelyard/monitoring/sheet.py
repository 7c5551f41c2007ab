"""Frames of the prediction log as tables of one shape, and where those stand."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from modelyard.errors import StoreDown
from modelyard.predictions import LoggedFrame, LoggedMinutes, LoggedOutcomes
from modelyard.records.schema import Column
from modelyard.tables.kinds import DTYPES

AT = pl.Datetime("us", "UTC")
Frame = TypeVar("Frame", LoggedFrame, LoggedOutcomes, LoggedMinutes)
COLUMNS: dict[str, pl.DataType] = {
    "request_id": pl.String(),
    "row": pl.Int64(),
    "at": AT,
    "model": pl.String(),
    "version": pl.Int64(),
    "model_id": pl.String(),
    "client_id": pl.String(),
    "latency": pl.Float64(),
    "writer": pl.String(),
    "sequence": pl.Int64(),
}
"""Beside ``prediction``, ``probability`` (list of float64 or null), of a regression of quantiles ``quantiles``
(the same), and ``features``."""


def shape_of(found: LoggedFrame) -> str:
    """What rows must share to stand in one table."""
    model = found.model
    shape: list[object] = [[(c.name, c.kind) for c in model.schema.features], str(_label(found))]
    if model.quantiles:
        shape.append("quantiles")
    return hashlib.sha256(msgspec.json.encode(shape)).hexdigest()[:16]


def home_of(tables: Path, environment: str, model: str) -> Path:
    return tables / "predictions" / safe(environment) / safe(model)


def safe(name: str) -> str:
    """A folder's name; not by ``%``, which the library would decode again."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f"~{ord(found[0]):x}~", name)


def opened(path: Path) -> DeltaTable | None:
    return DeltaTable(path) if DeltaTable.is_deltatable(str(path)) else None


def fresh(found: Sequence[Frame], table: DeltaTable | None) -> list[Frame]:
    """The frames of segments that no commit of the table names."""
    if table is None:
        return list(found)
    writers = {each.segment.writer for each in found}
    had = {writer: table.transaction_version(writer) or 0 for writer in writers}
    return [each for each in found if each.segment.number > had[each.segment.writer]]


def rows(found: Sequence[LoggedFrame]) -> pl.DataFrame:
    """Frames of one shape as a table."""
    lengths = [len(each) for each in found]
    counts = np.concatenate([np.asarray(each.counts, np.int64) for each in found])
    requests = np.repeat(np.arange(len(counts)), counts)
    ids = pl.Series([i for each in found for i in each.ids], dtype=pl.Binary).cast(pl.String)
    clients = pl.Series([i for each in found for i in each.client_ids], dtype=pl.String)
    total = int(counts.sum())

    def each_row(values: Sequence[object], dtype: pl.DataType) -> pl.Series:
        return pl.Series(values, dtype=dtype).gather(np.repeat(np.arange(len(found)), lengths))

    first = found[0].model
    columns = {
        "request_id": ids.gather(requests),
        "row": pl.Series(np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)),
        "at": each_row([round(each.at * 1e6) for each in found], pl.Int64()).cast(AT),
        "model": each_row([each.model.model for each in found], pl.String()),
        "version": each_row([each.model.version for each in found], pl.Int64()),
        "model_id": each_row([each.model.model_id for each in found], pl.String()),
        "client_id": clients.gather(requests),
        "latency": each_row([each.latency for each in found], pl.Float64()),
        "writer": each_row([each.segment.writer for each in found], pl.String()),
        "sequence": pl.Series(np.concatenate([each.sequence + np.arange(len(each)) for each in found])),
        "prediction": _predictions(found),
        "probability": _listed([each.probability for each in found], lengths),
    }
    if first.quantiles:
        columns["quantiles"] = _listed([each.quantiles for each in found], lengths)
    numbers = np.concatenate([each.numbers for each in found])
    texts = np.concatenate([each.texts for each in found])
    cells = [_feature(first.schema.column(n), numbers[:, j]) for j, n in enumerate(first.layout.numbers)]
    cells += [pl.Series(n, texts[:, j].tolist(), dtype=pl.String) for j, n in enumerate(first.layout.texts)]
    names = [column.name for column in first.schema.features]
    frame = pl.DataFrame(columns)
    return frame.with_columns(pl.DataFrame(cells).select(names).to_struct("features"))


def _predictions(found: Sequence[LoggedFrame]) -> pl.Series:
    if found[0].model.task == "regression":
        return pl.Series(np.concatenate([np.asarray(each.prediction) for each in found]))
    labels = [label for each in found for label in each.prediction]
    dtype = _label(found[0])
    return pl.Series(labels, dtype=dtype, strict=dtype != pl.String)  # classes of several types as texts


def _listed(
    parts: Sequence[np.ndarray[Any, np.dtype[np.float64]] | None], lengths: Sequence[int]
) -> pl.Series:
    nothing = pl.List(pl.Float64)
    return pl.concat(
        [
            pl.Series([None] * length, dtype=nothing) if part is None else pl.Series(part).arr.to_list()
            for part, length in zip(parts, lengths, strict=True)
        ]
    )


def _label(found: LoggedFrame) -> pl.DataType:
    if found.model.task == "multilabel":
        return pl.List(pl.String)
    kinds = {type(label) for label in found.model.classes}
    if found.model.task == "regression":
        return pl.Float64()
    return (
        {bool: pl.Boolean(), int: pl.Int64()}.get(kinds.pop(), pl.String())
        if len(kinds) == 1
        else pl.String()
    )


def _feature(column: Column, numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> pl.Series:
    values = pl.Series(column.name, numbers).fill_nan(None)
    if column.kind == "boolean":
        return values.cast(pl.Boolean)
    if column.kind == "date":
        return values.cast(pl.Int32).cast(pl.Date)
    if column.kind == "datetime":
        return values.cast(pl.Int64).cast(AT)
    return values.cast(DTYPES[column.kind])


@contextlib.contextmanager
def outage(what: str) -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        DeltaError,
        pa.ArrowException,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
    ) as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreDown(f"{what} ({cause[:200]}); see to the disk and run it again.") from None
