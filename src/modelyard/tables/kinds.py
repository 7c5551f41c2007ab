"""The one mapping between a schema's kinds and storage types, both ways and lossless.

Six kinds are stored as six Polars types (``DTYPES``). What comes in as another type of the same kind
(Categorical and Enum as strings, unsigned and narrow integers, float32, other time units and zones)
is converted when every value survives it, and refused with a sentence otherwise; Time, Duration,
Decimal, Binary and nested types are refused. The kind comes back, the narrower type does not.
A column of type Null fits any nullable column.
"""

from __future__ import annotations

import polars as pl

from modelyard.errors import DataRefused
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.moments import read_uniform
from modelyard.tables.rules import DATE_PATTERN, DATETIME_PATTERN

DTYPES: dict[Kind, pl.DataType] = {
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "string": pl.String(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us", "UTC"),
}


def kind_of(dtype: pl.DataType) -> Kind | None:
    """The kind that a Polars type stores; None when there is none for it."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "string"
    if dtype == pl.Date:
        return "date"
    return "datetime" if dtype == pl.Datetime else None


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The schema's columns in its order and storage types; others are left out.

    The frame passed ``tables.check`` before. Raises ``DataRefused`` naming a column whose values the
    storage type cannot hold.
    """
    return pl.DataFrame([convert(frame[c.name], c) for c in schema.columns])


def convert(series: pl.Series, column: Column) -> pl.Series:
    """The series in the column's storage type, value by value."""
    wanted = DTYPES[column.kind]
    if series.dtype == wanted:
        return series
    if series.dtype == pl.Null:
        return series.cast(wanted)
    try:
        return _convert(series, column.kind)
    except pl.exceptions.PolarsError:
        raise DataRefused(
            f"Column '{column.name}': its {series.dtype} values do not all fit {column.kind}; "
            "convert them in the source."
        ) from None


def _convert(series: pl.Series, kind: Kind) -> pl.Series:
    if kind == "integer" and series.dtype.is_float():
        series = series.fill_nan(None)
    if kind == "date" and series.dtype == pl.String:
        return _all(series, read_dates(series))
    if kind == "datetime" and series.dtype == pl.String:
        return _all(series, read_datetimes(series))
    if kind == "datetime" and isinstance(series.dtype, pl.Datetime):
        fine = series.cast(pl.Datetime("us", series.dtype.time_zone))
        if series.dtype.time_zone is None:
            fine = fine.dt.replace_time_zone("UTC")
        back = fine.to_physical() * 1000 if series.dtype.time_unit == "ns" else series.to_physical()
        if series.dtype.time_unit == "ns" and not (back == series.to_physical()).all():
            raise pl.exceptions.ComputeError("nanoseconds")
        return fine.dt.convert_time_zone("UTC")
    if kind == "string" and kind_of(series.dtype) != "string":
        raise pl.exceptions.ComputeError("not a text")
    return series.cast(DTYPES[kind], strict=True)


def _all(before: pl.Series, after: pl.Series) -> pl.Series:
    if after.null_count() != before.null_count():
        raise pl.exceptions.ComputeError("unreadable")
    return after


def read_dates(texts: pl.Series) -> pl.Series:
    """Dates as ``tables.rules`` reads them, null where a text says none."""
    fits = texts.str.contains(f"^{DATE_PATTERN}$") & ~texts.str.starts_with("0000")
    return texts.to_frame("t").select(
        pl.when(fits).then(pl.col("t").str.to_date("%Y-%m-%d", strict=False)).alias(texts.name)
    )[texts.name]


def read_datetimes(texts: pl.Series) -> pl.Series:
    """Times in UTC as ``tables.rules`` reads them, null where a text says none."""
    if (uniform := read_uniform(texts)) is not None:
        return uniform
    t = pl.col("t")
    fits = t.str.contains(f"^{DATETIME_PATTERN}$") & ~t.str.starts_with("0000") & ~t.str.contains("\n")
    day = t.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    seconds = (
        t.str.slice(11, 2).cast(pl.Int64, strict=False) * 3600
        + t.str.slice(14, 2).cast(pl.Int64, strict=False) * 60
        + t.str.slice(17, 2).cast(pl.Int64, strict=False)
    )
    decimals = t.str.extract(r"\.([0-9]+)", 1).fill_null("0").str.pad_end(6, "0")
    offset = t.str.extract(r"([+-][0-9]{2}:[0-9]{2})$", 1).fill_null("+00:00")
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(4, 2).cast(pl.Int64)
    minutes = pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    moment = day.cast(pl.Int64) * 86_400_000_000 + seconds * 1_000_000
    moment = moment + decimals.cast(pl.Int64, strict=False) - minutes * 60_000_000
    inside = moment.is_between(_FIRST, _LAST)
    return texts.to_frame("t").select(
        pl.when(fits & inside).then(moment).cast(pl.Datetime("us", "UTC")).alias(texts.name)
    )[texts.name]


_FIRST = -62_135_596_800_000_000
_LAST = 253_402_300_799_999_999
"""Microseconds of the years 1 to 9999, which is what Python's datetime holds."""
