"""Rows that come in pieces, as one Parquet file of one type a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelyard.data.sources.staged import Staged
from modelyard.errors import DataRefused
from modelyard.tables.kinds import read_dates, read_datetimes

_ROWS = 65_536
_BYTES = 2**26
_EXACT = 2**53
_DATETIME = pa.timestamp("us")


class ParquetFile:
    """Collects pieces of a source and writes them in bounded memory; ``finish`` makes the file whole.

    A column may be without values in one piece and have them in another, hold integers in one and
    floats in another, dates and times; anything else that changes within a source is refused, naming
    column and row. With ``loose`` a piece may lack columns; with ``moments`` texts that are all ISO
    dates or times become such, as they do in a CSV.
    """

    def __init__(self, path: Path, origin: str, *, loose: bool = False, moments: bool = False) -> None:
        self._path, self._origin, self._loose = path, origin, loose
        self._moments: dict[str, str] | None = {} if moments else None
        self._waiting: list[Any] = []
        self._rows = 0
        self._written = 0
        self._types: dict[str, Any] = {}
        self._parts: list[Path] = []
        self._writer: Any = None

    def __enter__(self) -> ParquetFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for part in self._parts:
            part.unlink(missing_ok=True)

    def add(self, piece: Any) -> None:
        """A ``pyarrow.Table`` of the source's next rows."""
        piece = self._plain(piece)
        self._waiting.append(piece)
        self._rows += piece.num_rows
        if sum(t.num_rows for t in self._waiting) >= _ROWS or sum(t.nbytes for t in self._waiting) >= _BYTES:
            self._flush()

    def add_rows(self, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        """The source's next rows as columns of Python values."""
        arrays = [
            column_of(values, name, origin=self._origin, first=self._rows + 1)
            for name, values in zip(names, columns, strict=True)
        ]
        self.add(pa.Table.from_arrays(arrays, names=list(names)))

    def finish(self) -> Staged:
        """Raises ``DataRefused`` when there was no column at all."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if not self._types:
            raise DataRefused(f"{self._origin} has no columns; give it columns and rows.")
        final = {name: self._final(name, kind) for name, kind in self._types.items()}
        schema = pa.schema(list(final.items()))
        if len(self._parts) == 1 and pq.read_schema(self._parts[0]).equals(schema):
            self._parts.pop().rename(self._path)
        else:
            with pq.ParquetWriter(self._path, schema) as writer:
                for part in self._parts:
                    for batch in pq.ParquetFile(part).iter_batches(_ROWS):
                        writer.write_table(self._cast(pa.table(batch), schema))
        return Staged(path=self._path, form="parquet", origin=self._origin)

    def _plain(self, piece: Any) -> Any:
        names = piece.schema.names
        for at, name in enumerate(names):
            if names.index(name) != at:
                raise DataRefused(f"{self._origin} names column '{name}' twice; rename one of them.")
        if self._types and not self._loose:
            for name in (*self._types, *names):
                if (name in self._types) != (name in names):
                    what = "lacks" if name in self._types else "has"
                    raise DataRefused(
                        f"{self._origin}, from row {self._rows + 1}: {what} column '{name}', unlike the rows before; "
                        "rows of one source have the same columns."
                    )
        for name in names:
            array = plain(piece[name], name, self._origin)
            self._types[name] = self._wider(name, self._types.get(name, pa.null()), array)
            if self._moments is not None:
                self._moments[name] = _moment(array, self._moments.get(name, ""))
            piece = piece.set_column(piece.schema.get_field_index(name), name, array)
        return piece

    def _wider(self, name: str, before: Any, array: Any) -> Any:
        now = array.type
        if before == now or pa.types.is_null(now):
            return before
        if pa.types.is_null(before):
            return now
        kinds = {_kind(before), _kind(now)}
        if kinds == {"integer"}:
            return pa.int64()
        if kinds <= {"integer", "float"}:
            return pa.float64()
        if kinds <= {"date", "datetime"} and getattr(before, "tz", None) == getattr(now, "tz", None):
            return _DATETIME if getattr(now, "tz", None) is None else pa.timestamp("us", "UTC")
        row = self._rows + 1 + next(i for i, valid in enumerate(array.is_valid().to_pylist()) if valid)
        raise DataRefused(
            f"{self._origin}, row {row}: column '{name}' holds {_kind(now)} values here and {_kind(before)} "
            "values before; one column holds one kind of value."
        )

    def _flush(self) -> None:
        if not self._waiting:
            return
        schema = pa.schema(list(self._types.items()))
        table = pa.concat_tables([self._cast(piece, schema) for piece in self._waiting])
        self._waiting = []
        if self._writer is None or not self._writer.schema.equals(schema):
            if self._writer is not None:
                self._writer.close()
            self._parts.append(self._path.with_suffix(f".{len(self._parts)}.part"))
            self._writer = pq.ParquetWriter(self._parts[-1], schema)
        self._writer.write_table(table)

    def _cast(self, table: Any, schema: Any) -> Any:
        columns = []
        for wanted in schema:
            if wanted.name not in table.schema.names:
                columns.append(pa.nulls(table.num_rows, wanted.type))
                continue
            array = table[wanted.name]
            if pa.types.is_string(array.type) and pa.types.is_temporal(wanted.type):
                array = _read(array, wanted.type)
            try:
                columns.append(array.cast(wanted.type))
            except pa.ArrowInvalid:
                raise DataRefused(
                    f"{self._origin}: column '{wanted.name}' holds integers that no float can tell apart "
                    "beside floats; write it as texts."
                ) from None
        return pa.Table.from_arrays(columns, schema=schema)

    def _final(self, name: str, kind: Any) -> Any:
        if self._moments is None or not pa.types.is_string(kind):
            return kind
        return {"date": pa.date32(), "datetime": pa.timestamp("us", "UTC")}.get(self._moments[name], kind)


def plain(array: Any, name: str, origin: str) -> Any:
    """The column in one of the types that a dataset has a place for.

    Raises ``DataRefused`` naming the column for a type that has none.
    """
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        array = array.cast(kind.storage_type)
        kind = array.type
    if pa.types.is_dictionary(kind):
        plain_values = [_decoded(chunk) for chunk in array.chunks]
        array = pa.chunked_array(plain_values, type=_text_or(kind.value_type))
        kind = array.type
    if _text_or(kind) != kind:
        return array.cast(pa.string())
    if pa.types.is_decimal(kind):
        return _decimal(array, name, origin)
    if pa.types.is_uint64(kind):
        return array.cast(pa.int64()) if _fits(array) else _refuse(name, origin, "integers beyond 64 bits")
    if pa.types.is_integer(kind):
        return array.cast(pa.int64())
    if pa.types.is_floating(kind):
        return array.cast(pa.float64())
    if pa.types.is_date(kind):
        return array.cast(pa.date32())
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return array.cast(pa.timestamp("us", kind.tz))
    if _kind(kind) is None and not pa.types.is_null(kind):
        _refuse(name, origin, str(kind))
    return array


def column_of(values: Sequence[Any], name: str, *, origin: str, first: int) -> Any:
    """Python values as a column; ``first`` is the row of the first one.

    Integers beside floats become floats and dates beside times midnights; any other mixture is
    refused with the row where it begins.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) > 1 and not (kinds <= {int, float} or kinds <= {date, datetime}):
        seen: type | None = None
        for row, value in enumerate(values, start=first):
            if value is None:
                continue
            family = float if type(value) is int else date if type(value) is datetime else type(value)
            if seen not in (None, family):
                raise DataRefused(
                    f"{origin}, row {row}: column '{name}' holds {_word(family)} here and {_word(seen)} before; "
                    "one column holds one kind of value."
                )
            seen = family
    if datetime in kinds and date in kinds:
        values = [datetime(v.year, v.month, v.day) if type(v) is date else v for v in values]
    if float in kinds and int in kinds:
        values = [float(v) if type(v) is int and abs(v) <= _EXACT else v for v in values]
    try:
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataRefused(f"{origin}, from row {first}: column '{name}' cannot be read: {reason}.") from None


def batches(reader: Any) -> Iterator[Any]:
    """The batches of an Arrow stream as tables."""
    for batch in reader:
        yield pa.Table.from_batches([batch])


def _kind(kind: Any) -> str | None:
    tests = {
        "boolean": pa.types.is_boolean,
        "integer": pa.types.is_integer,
        "float": pa.types.is_floating,
        "text": pa.types.is_string,
        "date": pa.types.is_date,
        "datetime": pa.types.is_timestamp,
    }
    return next((name for name, test in tests.items() if test(kind)), None)


def _word(kind: type | None) -> str:
    words = {
        bool: "true or false",
        float: "numbers",
        str: "texts",
        date: "dates",
        dict: "objects",
        list: "lists",
    }
    return words.get(kind, getattr(kind, "__name__", "?")) if kind else "?"


def _decoded(chunk: Any) -> Any:
    values = chunk.dictionary
    return values.cast(_text_or(values.type)).take(chunk.indices)


def _text_or(kind: Any) -> Any:
    """Views and large texts as texts, for which Arrow has every cast."""
    views = (pa.types.is_string_view, pa.types.is_large_string)
    return pa.string() if any(test(kind) for test in views) else kind


def _fits(array: Any) -> bool:
    largest = pc.max(array).as_py()
    return largest is None or largest < 2**63


def _decimal(array: Any, name: str, origin: str) -> Any:
    """Whole numbers become integers and others floats, when no digit is lost."""
    if array.type.scale <= 0:
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            return _refuse(name, origin, "integers beyond 64 bits")
    numbers = array.cast(pa.float64())
    if (
        array.type.precision > 15
        and pc.any(pc.greater(pc.abs(numbers), 10.0 ** (15 - array.type.scale))).as_py()
    ):
        return _refuse(name, origin, f"{array.type} values of more than 15 digits")
    return numbers


def _refuse(name: str, origin: str, what: str) -> Any:
    raise DataRefused(
        f"{origin}: column '{name}' is of type {what}, which has no place in a dataset; "
        "write it as a number, a text, a date or a time."
    )


def _moment(array: Any, before: str) -> str:
    """What all texts so far can be read as: '' nothing seen yet, 'text' when neither."""
    if before == "text" or not pa.types.is_string(array.type) or array.null_count == len(array):
        return before
    texts = pl.Series(pl.from_arrow(array))
    for name, read in (("date", read_dates), ("datetime", read_datetimes)):
        if before in ("", name) and read(texts).null_count() == texts.null_count():
            return name
    return "text"


def _read(array: Any, wanted: Any) -> Any:
    texts = pl.Series(pl.from_arrow(array))
    return (read_dates(texts) if pa.types.is_date(wanted) else read_datetimes(texts)).to_arrow()
