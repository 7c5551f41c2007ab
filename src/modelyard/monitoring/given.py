"""Outcomes as a table holds them, row by row held against what the model can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from modelyard.errors import DataRefused
from modelyard.predictions import fitting
from modelyard.records.outcome import CLIENT, REQUEST, Outcome
from modelyard.records.package import Label, Task
from modelyard.records.schema import Column, Schema

OUTCOME, ROW, AT = "outcome", "row", "at"
_LONGEST = 200


@dataclass(frozen=True)
class Given:
    """``refused`` are rows, from 1, with the reason why they tell nothing."""

    outcomes: tuple[Outcome, ...]
    refused: tuple[tuple[int, str], ...]


def shape(features: Schema, outcomes: Sequence[str]) -> Schema:
    """How the columns of such a table, with one of ``outcomes``, are read where it is texts."""
    own = (
        Column(name=REQUEST, kind="string", nullable=True),
        Column(name=CLIENT, kind="string", nullable=True),
        Column(name=ROW, kind="integer", nullable=True),
        Column(name=AT, kind="datetime", nullable=True),
        *(Column(name=name, kind="string", nullable=True) for name in dict.fromkeys(outcomes)),
    )
    taken = {column.name for column in own}
    return Schema(columns=(*own, *(c for c in features.columns if c.name not in taken)))


def whose(columns: Sequence[str], features: Schema, key: Sequence[str], by: Sequence[str]) -> tuple[str, ...]:
    """The columns that tell which prediction an outcome is of: as asked for, else the first of ``request_id``,
    ``client_id`` and the dataset's key that the table has. ``DataRefused`` when there is no such way."""
    names = [column.name for column in features.features]
    for wanted in (tuple(by),) if by else ((REQUEST,), (CLIENT,), tuple(key)):
        if not wanted or not set(wanted) <= set(columns):
            continue
        strangers = [name for name in wanted if name not in names and wanted not in ((REQUEST,), (CLIENT,))]
        if not strangers:
            return wanted
        raise DataRefused(
            f"'{strangers[0]}' is no feature of the model, so its predictions do not hold it; tell outcomes by "
            f"'{REQUEST}', or ask for predictions with it as X-Request-Id and tell them by '{CLIENT}'."
        )
    asked = (
        f"'{', '.join(by)}'"
        if by
        else f"'{REQUEST}', nor '{CLIENT}'" + (f", nor '{', '.join(key)}'" * bool(key))
    )
    raise DataRefused(
        f"The table has no {asked} (its columns are {', '.join(columns[:10])}); it must say which prediction each "
        "outcome is of."
    )


def given(
    frame: pl.DataFrame,
    features: Schema,
    *,
    by: tuple[str, ...],
    outcome: str,
    task: Task,
    classes: Sequence[Label],
) -> Given:
    """The outcomes in a frame's columns ``by``, ``outcome``, ``row`` (0 where there is none) and ``at``.

    Raises ``DataRefused`` for a column that is missing or of another kind than is needed.
    """
    if outcome not in frame.columns:
        raise DataRefused(
            f"The table has no column '{outcome}' with what turned out to be true; name it with --outcome."
        )
    ids, way = _ids(frame, features, by)
    rows = _whole(frame, ROW).fill_null(0)
    times = _times(frame)
    series = _outcomes(frame[outcome])
    values, reasons = _values(series, task, classes)
    outcomes: list[Outcome] = []
    refused: list[tuple[int, str]] = []
    told = zip(ids.to_list(), rows.to_list(), times.to_list(), series.to_list(), strict=True)
    for number, (id_, row, at, value) in enumerate(told, start=1):
        if not id_:
            refused.append((number, f"has no '{', '.join(by)}'"))
        elif len(id_) > _LONGEST and by in ((REQUEST,), (CLIENT,)):
            refused.append((number, f"has a '{by[0]}' of {len(id_)} characters"))
        elif row < 0:
            refused.append((number, f"has the row {row}, and rows are counted from 0"))
        elif value in reasons:
            refused.append((number, f"'{outcome}' {reasons[value]}"))
        else:
            outcomes.append(Outcome(id_, values[value], row, at, way))
    return Given(tuple(outcomes), tuple(refused))


def _ids(frame: pl.DataFrame, features: Schema, by: tuple[str, ...]) -> tuple[pl.Series, str]:
    from modelyard.tables.kinds import convert

    if by in ((REQUEST,), (CLIENT,)):
        series = frame[by[0]]
        return (series if series.dtype == pl.String else series.cast(pl.String)), by[0]
    key = frame.select(convert(frame[name], features.column(name)) for name in by)
    return key.select(pl.struct(by).struct.json_encode())[by[0]], msgspec.json.encode(by).decode()


def _outcomes(series: pl.Series) -> pl.Series:
    if series.dtype.is_nested():
        raise DataRefused(f"The column '{series.name}' holds {series.dtype}, and each row tells one outcome.")
    return series.fill_nan(None) if series.dtype.is_float() else series


def _whole(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [0] * frame.height, dtype=pl.Int64)
    try:
        return frame[name].cast(pl.Int64)
    except pl.exceptions.PolarsError:
        raise DataRefused(f"The column '{name}' holds {frame[name].dtype}, not whole numbers.") from None


def _times(frame: pl.DataFrame) -> pl.Series:
    """Seconds since 1970; without a time zone it is UTC."""
    if AT not in frame.columns or frame[AT].dtype == pl.Null:
        return pl.Series(AT, [None] * frame.height, dtype=pl.Float64)
    series = frame[AT]
    if series.dtype.is_numeric():  # seconds, milliseconds or days: nobody can tell
        raise DataRefused(
            f"The column '{AT}' holds {series.dtype}; write times, such as 2026-11-20T14:30:00Z."
        )
    try:
        if series.dtype == pl.String:
            series = series.str.to_datetime(time_unit="us", time_zone="UTC")
        return series.cast(pl.Datetime("us")).cast(pl.Int64) / 1e6
    except pl.exceptions.PolarsError:
        raise DataRefused(f"The column '{AT}' holds {frame[AT].dtype} values that are no times.") from None


def _values(
    series: pl.Series, task: Task, classes: Sequence[Label]
) -> tuple[dict[object, Label | float], dict[object, str]]:
    """What each different value stands for, and why some stand for nothing."""
    values: dict[object, Label | float] = {}
    reasons: dict[object, str] = {}
    for value in series.unique().to_list():
        try:
            values[value] = fitting(value, task, classes, text=True)
        except ValueError as error:
            reasons[value] = str(error)
    return values, reasons
