"""Point-in-time joins: for each row what a feature table knew at the row's time, and nothing later.

Polars' ``join_asof`` with ``by`` gathers both tables whole, so it is given one bucket at a time. What is
held: a bucket's features, and of the rows a slice of their times and keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from modelyard.data.shaping.buckets import (
    ROOM,
    ROW,
    Windows,
    buckets_for,
    deal,
    gather,
    numbered,
    window_size,
)
from modelyard.data.shaping.cleaning import nearest
from modelyard.data.shaping.reading import Table
from modelyard.data.shaping.settled import Settled
from modelyard.errors import DataRefused, SettingsError
from modelyard.settings import AsOfSettings
from modelyard.tables.kinds import DTYPES, kind_of

_TIME, _ORDER = "__time__", "__order__"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DAY = 86_400_000_000
_TIMES = ("date", "datetime")


class AsOf:
    """One join between rows and features of these types, checked as it is made.

    Raises ``SettingsError`` naming the column that is not there or does not fit.
    """

    def __init__(self, settings: AsOfSettings, rows: pl.Schema, features: pl.Schema) -> None:
        self.source, self.strict = settings.source, settings.strict
        self.at, self.on = settings.at, settings.on
        by = (settings.by,) if isinstance(settings.by, str) else settings.by
        self.by = dict(by) if isinstance(by, dict) else {name: name for name in by}
        self._what = f"'asof' of '{settings.source}'"
        self._there("at", [self.at], rows, "the rows have")
        self._there("on", [self.on], features, f"'{self.source}' has")
        self._there("by", list(self.by), rows, "the rows have")
        self._there("by", list(self.by.values()), features, f"'{self.source}' has")
        self._there("columns", list(settings.columns), features, f"'{self.source}' has")
        left_out = {self.on, *self.by.values()}
        columns = settings.columns or tuple(name for name in features if name not in left_out)
        self.taken = {name: settings.prefix + name for name in columns}
        if not columns:
            raise SettingsError(
                f"{self._what}: '{self.source}' has no column beside 'on' and 'by'; add features."
            )
        self._keys(rows, features)
        self._tolerance = self._axis(rows[self.at], features[self.on], settings.tolerance)
        self._dates = (rows[self.at] == pl.Date, features[self.on] == pl.Date)
        self.types = {new: features[name] for name, new in self.taken.items()}

    def left(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows that can have features: number, time and key."""
        keys = self._alike(list(self.by))
        time = _instant(pl.col(self.at), day_end=False)
        return numbered(rows).select(ROW, time.alias(_TIME), *keys).drop_nulls()

    def right(self, features: pl.LazyFrame) -> pl.LazyFrame:
        """The features whose time and key are known."""
        keys = self._alike(list(self.by.values()))
        late = self._dates == (False, True)
        time = _instant(pl.col(self.on), day_end=late)
        taken = [pl.col(name).alias(f"of {name}") for name in self.taken]
        known = [_TIME, *(f"by{n}" for n in range(len(self.by)))]
        return (
            features.with_row_index(_ORDER).select(_ORDER, time.alias(_TIME), *keys, *taken).drop_nulls(known)
        )

    def join(self, rows: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
        """``ROW`` and the columns taken, of the rows for which there is something."""
        keys = [f"by{n}" for n in range(len(self.by))]
        # Of features of one time the last that was read is the latest.
        ordered = features.sort(_TIME, _ORDER).unique([_TIME, *keys], keep="last", maintain_order=True)
        found = rows.sort(_TIME).join_asof(
            ordered.with_columns(pl.col(_TIME).alias("__known__")),
            on=_TIME,
            by=keys or None,
            strategy="backward",
            tolerance=self._tolerance,
            allow_exact_matches=not self.strict,
            check_sortedness=False,
        )
        taken = [pl.col(f"of {name}").alias(new) for name, new in self.taken.items()]
        return found.filter(pl.col("__known__").is_not_null()).select(ROW, *taken)

    def _alike(self, names: Sequence[str]) -> list[pl.Expr]:
        return [
            pl.col(name).cast(kind).alias(f"by{n}")
            for n, (name, kind) in enumerate(zip(names, self._kinds, strict=True))
        ]

    def _there(self, setting: str, asked: Sequence[str], schema: pl.Schema, whose: str) -> None:
        for name in asked:
            if name not in schema:
                hint = nearest(name, schema.names())
                raise SettingsError(
                    f"{self._what}: '{setting}' is '{name}', but {whose} no such column; {hint}"
                )

    def _keys(self, rows: pl.Schema, features: pl.Schema) -> None:
        self._kinds: list[pl.DataType] = []
        for ours, theirs in self.by.items():
            kinds = kind_of(rows[ours]), kind_of(features[theirs])
            if kinds[0] != kinds[1] or kinds[0] in (None, "float"):
                raise SettingsError(
                    f"{self._what}: '{ours}' of the rows is {kinds[0] or rows[ours]} and '{theirs}' of "
                    f"'{self.source}' is {kinds[1] or features[theirs]}; cast them to one kind, "
                    "which is not float."
                )
            self._kinds.append(DTYPES[kinds[0]])

    def _axis(self, at: pl.DataType, on: pl.DataType, tolerance: str | None) -> int | None:
        kinds = kind_of(at), kind_of(on)
        if not (kinds == ("integer", "integer") or (kinds[0] in _TIMES and kinds[1] in _TIMES)):
            raise SettingsError(
                f"{self._what}: '{self.at}' of the rows is {kinds[0] or at} and '{self.on}' of '{self.source}' is "
                f"{kinds[1] or on}; both must be dates or times, or both integers: 'parse' or 'cast' them."
            )
        if tolerance is None:
            return None
        timed = tolerance[-1] in _UNITS
        if timed != (kinds[0] in _TIMES):
            raise SettingsError(
                f"{self._what}: 'tolerance' is '{tolerance}', but '{self.on}' is {kinds[1]}; "
                "write '30d' for times and '30' for integers."
            )
        return int(tolerance[:-1]) * _UNITS[tolerance[-1]] * 1_000_000 if timed else int(tolerance)


def join_all(
    rows: Settled,
    joins: Sequence[AsOfSettings],
    tables: dict[str, Table],
    folder: Path,
    *,
    room: int = ROOM,
) -> Settled:
    """The rows, in their order, with what each feature table knew.

    Raises ``SettingsError`` for settings that the tables contradict, ``DataRefused`` for a name that comes
    twice.
    """
    schema = rows.scan().collect_schema()
    size = window_size(rows, room=room)
    made: list[tuple[AsOf, Windows]] = []
    types = dict(schema)
    for number, settings in enumerate(joins):
        table = tables[settings.source]
        one = AsOf(settings, schema, table.scan().collect_schema())
        for new, kind in one.types.items():
            if new in types:
                raise DataRefused(
                    f"'asof' of '{one.source}' gives a column '{new}', and there is one already; "
                    "set 'prefix', or name others in 'columns'."
                )
            types[new] = kind
        made.append((one, _found(one, rows, table, size, folder / f"asof-{number}", room)))

    def make(frame: pl.DataFrame, window: int) -> pl.DataFrame:
        for one, windows in made:
            found = windows.of(window)
            if found is None:
                nothing = [pl.lit(None, dtype=kind).alias(new) for new, kind in one.types.items()]
                frame = frame.with_columns(nothing)
            else:
                frame = frame.join(found, on=ROW, how="left", maintain_order="left", validate="1:1")
        return frame.drop(ROW)

    return gather(rows, size, make, folder / "asof.parquet")


def _found(one: AsOf, rows: Settled, table: Table, size: int, folder: Path, room: int) -> Windows:
    count = buckets_for(table.size, room=room)
    keys = [f"by{n}" for n in range(len(one.by))]
    left = deal(one.left(rows.scan()), keys, folder / "rows", count=count)
    right = deal(one.right(table.scan()), keys, folder / "features", count=count)
    windows = Windows(folder / "found", size)
    for bucket in range(count):
        features = right.bucket(bucket)
        if features is None:
            continue
        for at, part in enumerate(left.slices(bucket, size)):
            windows.add(one.join(part, features), f"{bucket}-{at}")
    return windows


def _instant(time: pl.Expr, *, day_end: bool) -> pl.Expr:
    """Microseconds since 1970 in UTC, or the integer itself; a day begins where it begins, unless it is a
    feature's beside times: known only when it is over."""
    return time.map_batches(lambda s: _instants(s, day_end), return_dtype=pl.Int64, is_elementwise=True)


def _instants(series: pl.Series, day_end: bool) -> pl.Series:
    if series.dtype == pl.Date:
        return (series.cast(pl.Int64) + int(day_end)) * _DAY
    if series.dtype == pl.Datetime:
        unit = series.dtype.time_unit  # type: ignore[attr-defined]
        moments = series.to_physical()
        return moments // 1_000 if unit == "ns" else moments * (1_000 if unit == "ms" else 1)
    return series.cast(pl.Int64)
