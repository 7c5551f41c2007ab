"""How far an incremental ingest has come: the newest row's time, day or number."""

from __future__ import annotations

import datetime as dt
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from modelyard.data.sources.since import Since
from modelyard.errors import SettingsError
from modelyard.records.dataset import DatasetVersion, Watermark
from modelyard.records.schema import Kind
from modelyard.settings import IncrementalSettings
from modelyard.settings.spans import span

Moment = int | float | dt.date | dt.datetime

_DAY = dt.date(1970, 1, 1)
_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def threshold(
    settings: IncrementalSettings, version: DatasetVersion | None, parts: Sequence[Path], *, keyed: bool
) -> Since | None:
    """From where on rows are wanted; None: all are.

    A version that was made without a watermark is asked for its newest row. Raises ``SettingsError`` for a
    column or a ``lateness`` of the wrong kind.
    """
    on = settings.on
    if on is None:
        return None
    column = next((c for c in version.schema.columns if c.name == on), None) if version else None
    kind = column.kind if column else None
    first = None if settings.since is None else _read(settings.since, kind, on)
    high = _high(version, on, parts) if version and column else None
    if high is None or kind is None:
        return None if first is None else Since(on, first)
    reached = _earlier(_moment(high, kind), settings.lateness, on)
    if first is not None and reached < first:  # type: ignore[operator]
        return Since(on, first)
    return Since(on, reached, above=not keyed)


def beyond(series: pl.Series, since: Since, kind: Kind) -> pl.Series:
    """Which rows are wanted; the series holds no null."""
    limit = _number(_read(since.value, kind, since.on))
    numbers = series.to_physical()
    return numbers > limit if since.above else numbers >= limit


def valueless(series: pl.Series) -> pl.Series:
    """Which rows cannot be placed in time."""
    return (
        series.is_null() | ~series.is_finite().fill_null(True)
        if series.dtype.is_float()
        else series.is_null()
    )


def check_column(kinds: Mapping[str, Kind | None], on: str) -> None:
    """Raises ``SettingsError`` for a column that is not there or has no order in time."""
    if on not in kinds:
        near = difflib.get_close_matches(on, kinds, n=1) or list(kinds)[:20]
        raise SettingsError(
            f"There is no column '{on}' for the watermark's 'on'; there is {', '.join(near)}."
        )
    _check_kind(kinds[on], on)


def _check_kind(kind: Kind | None, on: str) -> None:
    if kind in ("string", "boolean"):
        raise SettingsError(
            f"The watermark's 'on' names '{on}', which holds {kind} values; name a column of times, days or numbers."
        )


def reached(
    on: str,
    kind: Kind | None,
    found: Iterable[int | float | None],
    version: DatasetVersion | None,
    parts: Sequence[Path],
) -> Watermark | None:
    """The highest of what was found and what the version before had reached."""
    held = [value for value in found if value is not None]
    if version and (high := _high(version, on, parts)) is not None:
        held.append(high)
    if not held or kind is None:
        return None
    highest = max(held)
    if kind == "float":
        return Watermark(on=on, value=float(highest))
    moment = _moment(highest, kind)
    if isinstance(moment, dt.datetime):
        return Watermark(on=on, value=moment.isoformat().replace("+00:00", "Z"))
    return Watermark(on=on, value=moment.isoformat() if isinstance(moment, dt.date) else moment)


def _high(version: DatasetVersion, on: str, parts: Sequence[Path]) -> int | float | None:
    """As a number: days or microseconds since 1970, or the number itself."""
    kind = version.schema.column(on).kind
    _check_kind(kind, on)
    if version.watermark is not None and version.watermark.on == on:
        return _number(_read(version.watermark.value, kind, on))
    column = pl.scan_parquet(list(parts), glob=False).select(pl.col(on)).collect(engine="streaming")[on]
    known = column.filter(~valueless(column)).to_physical()
    return known.max()  # type: ignore[return-value]


def _moment(number: float, kind: Kind) -> Moment:
    if kind == "date":
        return _DAY + dt.timedelta(days=int(number))
    return _TIME + dt.timedelta(microseconds=int(number)) if kind == "datetime" else number


def _number(moment: Moment) -> int | float:
    if isinstance(moment, dt.datetime):
        return (moment - _TIME) // dt.timedelta(microseconds=1)
    return (moment - _DAY).days if isinstance(moment, dt.date) else moment


def _read(value: Moment | str, kind: Kind | None, on: str) -> Moment:
    """A declared or stored value as what the column holds; by its looks where that is not known yet."""
    if isinstance(value, str):
        try:
            day = len(value) == 10
            value = dt.date.fromisoformat(value) if day else dt.datetime.fromisoformat(value)
        except ValueError:
            raise SettingsError(
                f"The watermark's 'since' is '{value}'; write it as 2026-01-31, 2026-01-31T08:00:00Z or a number."
            ) from None
    if isinstance(value, dt.datetime):
        value = value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    if kind is None:
        return value
    if isinstance(value, dt.date) != (kind in ("date", "datetime")):
        raise SettingsError(f"The watermark's 'since' is {value}, but '{on}' holds {kind} values.")
    if kind == "datetime" and not isinstance(value, dt.datetime) and isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    return value.date() if kind == "date" and isinstance(value, dt.datetime) else value


def _earlier(moment: Moment, lateness: float | str | None, on: str) -> Moment:
    if lateness is None:
        return moment
    if isinstance(lateness, str) != isinstance(moment, dt.date):
        wanted = "a span such as 2d" if isinstance(moment, dt.date) else "a number"
        raise SettingsError(f"The watermark's 'lateness' is {lateness!r}, but '{on}' needs {wanted}.")
    if not isinstance(lateness, str):
        assert not isinstance(moment, dt.date)
        return moment - lateness
    assert isinstance(moment, dt.date)
    try:
        length = span(lateness)
        if not isinstance(moment, dt.datetime):
            length = dt.timedelta(days=math.ceil(length / dt.timedelta(days=1)))
        return moment - length
    except OverflowError:
        first = dt.datetime(1, 1, 3, tzinfo=dt.UTC)
        return first if isinstance(moment, dt.datetime) else first.date()
