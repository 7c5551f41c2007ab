"""Which rows are held back: a property of the row alone, by a rule that is stored with the version.

By default ``hash(seed, key) < share``. Adding, removing or reordering other rows never moves a row, and
neither does its label. Without a declared key the features' content is the key, so duplicates stand on
the same side.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl

from modelyard.errors import DataRefused, Misuse, SettingsError
from modelyard.records.dataset import Split
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.kinds import convert, read_dates, read_datetimes
from modelyard.tables.labels import told
from modelyard.tables.rowhash import Words, mix, row_hashes

SPLIT = "__split__"
"""The column that keeps the assignment: ``train`` or ``test``."""
SIDES = ("test", "train")
FOLD = "__fold__"
"""The column that keeps the fold, where folds were asked for: a number from 0, as text."""

MOST_CLASSES = 50

_FOLDS = np.uint64(0x8BADF00D5EED0F01)


def assign(frame: pl.DataFrame, *, schema: Schema, split: Split, holdout: Words | None = None) -> pl.Series:
    """[n] booleans, true for a test row; any batch of a table gets what the whole table would.

    ``holdout`` holds ``key_hashes`` of the holdout's rows. A split by time was settled before. Raises
    ``DataRefused`` for a row without a time, ``SettingsError`` for a value that the column cannot hold.
    """
    if split.holdout:
        if holdout is None:
            raise Misuse("A split by a holdout file needs the hashes of its keys.")
        return pl.Series("test", np.isin(key_hashes(frame, schema), holdout))
    if split.column:
        column = schema.column(split.column)
        wanted = _value(split.test_value, column)
        return (convert(frame[split.column], column) == wanted).fill_null(False).alias("test")
    if split.time:
        return _late(frame, schema.column(split.time), split)
    bound = min(int(split.test * 2.0**64), 2**64 - 1)
    return pl.Series("test", _dealt(frame, schema, split) < np.uint64(bound))


def folds(frame: pl.DataFrame, *, schema: Schema, split: Split) -> pl.Series:
    """[n] fold numbers as texts, ``0`` to ``split.folds - 1``; rows of a group are in one fold.

    Independent of the test split: the hash that dealt the row is mixed again.
    """
    again = mix(_dealt(frame, schema, split) ^ _FOLDS)
    return pl.Series(FOLD, again % np.uint64(split.folds or 1)).cast(pl.String)


def settle(times: Callable[[str], tuple[pl.Series, Schema]], *, split: Split, before: Split | None) -> Split:
    """The split with the time from which rows are held back, where ``split`` asks for the newest share.

    What the version before began with stays, however many rows came since: a later beginning would move
    test rows to train. Another share may only begin earlier. ``times`` gives the whole column, and the
    schema that it was read with, when it is needed. Raises ``DataRefused`` when all rows have the same time.
    """
    if not split.time or split.after is not None:
        return split
    kept = before.after if before and before.time == split.time else None
    if kept is not None and before and before.test == split.test:
        return msgspec.structs.replace(split, after=kept)
    series, read = times(split.time)
    column = read.column(split.time)
    check_kinds(read, split)
    chosen = _beginning(_numbers(convert(series, column)), split)
    if kept is not None and _moment(kept, column) <= chosen:
        return msgspec.structs.replace(split, after=kept)
    return msgspec.structs.replace(split, after=_written(chosen, column))


def key_hashes(frame: pl.DataFrame, schema: Schema) -> Words:
    """[n] hashes of the rows' keys, as ``assign`` looks for them in a holdout."""
    return row_hashes(frame, schema.key)


def _dealt(frame: pl.DataFrame, schema: Schema, split: Split) -> Words:
    by = split.group or schema.key or tuple(c.name for c in schema.features)
    return row_hashes(frame, by, seed=split.seed)


def _late(frame: pl.DataFrame, column: Column, split: Split) -> pl.Series:
    times = _numbers(convert(frame[column.name], column))
    if missing := times.null_count():
        raise DataRefused(
            f"The time '{column.name}' of the split is missing in {missing} of {len(times)} rows; "
            "give every row its time."
        )
    if split.after is None:
        raise Misuse("A split by time is settled before rows are dealt.")
    return (times >= _moment(split.after, column)).alias("test")


def _beginning(times: pl.Series, split: Split) -> int | float:
    """The time whose rows, with all later ones, come closest to the share and leave rows before it."""
    times = times.drop_nulls().sort()
    if not times.len():
        raise DataRefused(f"The time '{split.time}' of the split has no value; name another column.")
    first = min(int((1 - split.test) * times.len()), times.len() - 1)
    near = times[first]
    starts = [int(times.search_sorted(near, side=side)) for side in ("left", "right")]
    possible = [at for at in starts if 0 < at < times.len()]
    if not possible:
        raise DataRefused(
            f"The time '{split.time}' of the split is the same in every row; give 'after', or split otherwise."
        )
    best = min(possible, key=lambda at: abs(1 - at / times.len() - split.test))
    return times[best]  # type: ignore[no-any-return]


def _numbers(times: pl.Series) -> pl.Series:
    return times.fill_nan(None) if times.dtype.is_float() else times.to_physical()


def _moment(after: float | str, column: Column) -> int | float:
    """Days or microseconds since 1970, or the number itself."""
    if column.kind not in ("date", "datetime", "integer", "float"):
        raise SettingsError(
            f"The split's 'time' needs dates, times or numbers, but '{column.name}' holds {column.kind} values; "
            "write them as 2026-01-31 or 2026-01-31T08:00:00Z in the source."
        )
    if column.kind in ("integer", "float"):
        if isinstance(after, str):
            raise SettingsError(f"The split's 'after' is '{after}', but '{column.name}' holds numbers.")
        return after
    text = pl.Series([str(after)])
    read = read_dates(text)
    if column.kind == "datetime":
        read = (
            read_datetimes(pl.Series([f"{after}T00:00:00Z"])) if read[0] is not None else read_datetimes(text)
        )
    if read[0] is None:
        raise SettingsError(
            f"The split's 'after' is '{after}', but '{column.name}' holds {column.kind} values; write it as "
            + ("2026-01-31." if column.kind == "date" else "2026-01-31 or 2026-01-31T08:00:00Z.")
        )
    return int(read.to_physical()[0])


def _written(moment: float, column: Column) -> int | float | str:
    """The inverse of ``_moment``."""
    if column.kind == "date":
        return (dt.date(1970, 1, 1) + dt.timedelta(days=int(moment))).isoformat()
    if column.kind == "datetime":
        at = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(moment))
        return f"{at.isoformat()}Z"
    return moment


def _value(declared: object, column: Column) -> object:
    """What ``column`` holds in test rows, in its own type."""
    wanted = "test" if declared is None else declared
    number = isinstance(wanted, int | float) and not isinstance(wanted, bool)
    if column.kind == "string" and not isinstance(wanted, bool):
        return str(wanted)
    if (column.kind in ("integer", "float") and number) or (
        column.kind == "boolean" and isinstance(wanted, bool)
    ):
        return wanted
    raise SettingsError(
        f"The split's 'test_value' is {str(wanted)!r}, but '{column.name}' holds {column.kind} values; "
        "give one of those."
    )


def check_columns(schema: Schema, split: Split) -> None:
    """Raises ``SettingsError`` when the split names a column that is not there or has another role."""
    names = [c.name for c in schema.columns]
    for role, name in (
        *(("group", n) for n in split.group),
        *(("time", n) for n in [split.time] if n),
        *(("column", n) for n in [split.column] if n),
    ):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"the columns are {', '.join(names[:20])}."
            raise SettingsError(f"There is no column '{name}' for the split's '{role}'; {hint}")
        if name in schema.targets:
            raise SettingsError(f"The target '{name}' cannot be the split's '{role}'; take another column.")
    if split.holdout and not schema.key:
        raise SettingsError("The split's 'holdout' names rows by their key; set 'key' too.")


def check_kinds(schema: Schema, split: Split) -> None:
    """Raises ``SettingsError`` when a column that decides is of a kind that cannot."""
    if split.column:
        _value(split.test_value, schema.column(split.column))
    if split.time:
        _moment(
            split.after if split.after is not None else _ANY[schema.column(split.time).kind],
            schema.column(split.time),
        )


_ANY: dict[Kind, int | str] = {
    "integer": 0,
    "float": 0,
    "date": "2026-01-01",
    "datetime": "2026-01-01",
    "string": 0,
    "boolean": 0,
}


def shares(frame: pl.DataFrame, test: pl.Series, *, schema: Schema) -> dict[str, float]:
    """The share of test rows in each class of the target, by class; of labels, in each value of each, as
    ``rain: true``.

    Raises ``DataRefused`` when the target has no classes (a float, or more than 50 values) or when a
    class has no row in train or none in test.
    """
    return class_shares(by_label(frame, test, schema) if schema.targets else pl.DataFrame(), schema=schema)


def by_label(frame: pl.DataFrame, test: pl.Series, schema: Schema) -> pl.DataFrame:
    """``rows`` and ``test`` rows by ``label``: a class of the target, or one of two values of a label."""
    columns = [frame[name] for name in schema.targets]
    if schema.labels:
        columns = [told(one, schema.column(one.name)) for one in columns]
    return pl.concat(
        pl.DataFrame({"label": column, "test": test})
        .drop_nulls("label")
        .group_by("label")
        .agg(pl.len().alias("rows"), pl.col("test").sum().alias("test"))
        for column in columns
    )


def class_shares(counted: pl.DataFrame, *, schema: Schema) -> dict[str, float]:
    """As ``shares``, from ``rows`` and ``test`` rows by ``label``; a label may come several times."""
    if not schema.targets:
        raise DataRefused("'stratify' needs a target; set 'target' or leave 'stratify' out.")
    if schema.target is not None:
        _require_classes(counted, schema.column(schema.target))
    counted = counted.group_by("label").agg(pl.col("rows").sum(), pl.col("test").sum()).sort("label")
    if schema.target is not None and counted.height > MOST_CLASSES:
        raise DataRefused(
            f"'stratify' needs classes, but the target '{schema.target}' has {counted.height} values, "
            f"more than {MOST_CLASSES}; leave 'stratify' out."
        )
    found: dict[str, float] = {}
    for label, rows, tested in counted.iter_rows():
        if tested in (0, rows):
            side = "test" if tested == 0 else "train"
            of = f" of '{schema.target}'" if schema.target else ""
            raise DataRefused(
                f"Class '{_name(label)}'{of} has no row in the {side} split "
                f"({rows} row{'s' if rows > 1 else ''} in all); "
                "add rows of that class, or change the share or the seed of 'split'."
            )
        found[_name(label)] = tested / rows
    return found


def _require_classes(counted: pl.DataFrame, target: Column) -> None:
    if target.kind not in ("string", "boolean", "integer"):
        whole = target.kind == "float" and bool((counted["label"] == counted["label"].floor()).all())
        instead = "cast it to integer in 'transform', or " if whole else ""
        raise DataRefused(
            f"'stratify' needs classes, but the target '{target.name}' holds {target.kind} values; {instead}leave "
            "'stratify' out."
        )


def _name(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
