"""A source's rows part by part, each part by its number, for work that is taken up where it was left.

The parts of unchanged files are the same each time. What cannot be read as its kind refuses its own row alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.data import csv, texts
from modelyard.data.csv import Block
from modelyard.data.sources.staged import Staged
from modelyard.data.typed import Known, type_block, type_table
from modelyard.errors import DataRefused, StoreDown
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.kinds import DTYPES
from modelyard.tables.rules import value_fault

BLOCK = 2**22
"""Bytes of a CSV part; and about those of a Parquet part."""
_MOST_ROWS = 65_536


@dataclass(frozen=True)
class Part:
    """Rows that are read together; ``content`` is a block's bytes, a table, or a row group's number."""

    number: int
    file: Staged
    names: tuple[str, ...]
    content: bytes | pa.Table | int
    first: bool = False
    """Whether a header stands before the rows."""

    @property
    def size(self) -> int:
        """Bytes, as far as they are known without reading."""
        if isinstance(self.content, int):
            return BLOCK
        return len(self.content) if isinstance(self.content, bytes) else int(self.content.nbytes)


@dataclass(frozen=True)
class Rows:
    """``frame`` has all rows of a part; where a value could not be read it is null, and ``unread`` has the
    row's (from 0) first reason."""

    frame: pl.DataFrame
    unread: dict[int, str] = field(default_factory=dict)


def parts(files: Sequence[Staged], wanted: Sequence[str]) -> Iterator[Part]:
    """All files' rows in order; raises ``DataRefused`` for a file that lacks one of the ``wanted`` columns."""
    number = 0
    for file in files:
        try:
            for part in _csv(file, wanted) if file.form == "csv" else _parquet(file, wanted):
                yield Part(number, file, part.names, part.content, part.first)
                number += 1
        except DataRefused as error:
            raise DataRefused(str(error).replace(str(file.path), file.origin)) from None
        except pa.ArrowException as error:
            raise DataRefused(f"{file.origin} is no readable file of {file.form}: {_line(error)}.") from None
        except OSError as error:
            raise StoreDown(f"{file.origin} cannot be read: {error.strerror or error}.") from None


def _csv(file: Staged, wanted: Sequence[str]) -> Iterator[Part]:
    names = columns_of(file)
    _has(file, names, wanted)
    for block in csv.blocks(file.path, list(names), size=BLOCK):
        content = block.content if isinstance(block.content, pa.Table) else bytes(block.content)
        yield Part(0, file, names, content, block.first)


def _parquet(file: Staged, wanted: Sequence[str]) -> Iterator[Part]:
    reader = pq.ParquetFile(file.path)
    names = columns_of(file)
    _has(file, names, wanted)
    for group in range(reader.num_row_groups):
        told = reader.metadata.row_group(group)
        if told.total_byte_size <= 2 * BLOCK and told.num_rows <= _MOST_ROWS:
            yield Part(0, file, names, group)
            continue
        rows = max(1, min(_MOST_ROWS, told.num_rows * BLOCK // max(1, told.total_byte_size)))
        for batch in reader.iter_batches(rows, row_groups=[group], columns=list(wanted)):
            yield Part(0, file, names, pa.Table.from_batches([batch]))


def _has(file: Staged, names: Sequence[str], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in names:
            raise DataRefused(
                f"{file.origin} has no column '{name}'; its columns are {', '.join(names)[:200]}."
            )


def columns_of(file: Staged) -> tuple[str, ...]:
    """The names of a file's columns."""
    if file.form == "csv":
        return tuple(csv.header(file.path))
    return tuple(str(n) for n in pq.read_schema(file.path).names if n not in file.leave)


def read(part: Part, schema: Schema, wanted: Sequence[str]) -> Rows:
    """The wanted columns, those of the schema in its types, others as they are (texts in a CSV).

    Raises ``DataRefused`` for records that are ragged or not UTF-8.
    """
    columns = {c.name: c for c in schema.columns if c.name in wanted}
    try:
        if part.file.form == "csv":
            return _read_csv(part, columns, wanted)
        return Rows(_read_parquet(part, columns, wanted))
    except DataRefused as error:
        raise DataRefused(str(error).replace(str(part.file.path), part.file.origin)) from None
    except (pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise DataRefused(
            f"{part.file.origin} is no readable file of {part.file.form}: {_line(error)}."
        ) from None


def _read_parquet(part: Part, columns: dict[str, Column], wanted: Sequence[str]) -> pl.DataFrame:
    table = part.content
    if isinstance(table, int):
        reader = pq.ParquetFile(part.file.path)
        table = reader.read_row_group(table, columns=list(wanted), use_threads=False)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame = frame.select(wanted)
    kinds: dict[str, Kind | None] = {name: column.kind for name, column in columns.items()}
    typed = type_table(frame.select(list(columns)), part.file.path, kinds).columns
    return frame.with_columns(typed[name] for name in columns if name in typed)


def _read_csv(part: Part, columns: dict[str, Column], wanted: Sequence[str]) -> Rows:
    content = part.content
    assert not isinstance(content, int)
    block = Block(memoryview(content) if isinstance(content, bytes) else content, part.first)
    path, names = part.file.path, list(part.names)
    kinds: dict[str, Kind | None] = {
        name: columns[name].kind if name in columns else "string" for name in wanted
    }
    hints: dict[str, Kind] = {name: column.kind for name, column in columns.items()}
    typed = type_block(block, path, names, kinds, hints, Known())
    found = dict(typed.columns)
    unread: dict[int, str] = {}
    rest = [name for name in wanted if name not in found]
    if rest:
        table = pl.from_arrow(csv.parse(path, block, names, dict.fromkeys(rest, pa.large_string())))
        assert isinstance(table, pl.DataFrame)
        for name in rest:
            found[name] = _some(columns[name], table[name].rechunk(), unread)
    return Rows(pl.DataFrame([found[name].alias(name) for name in wanted]), unread)


def _some(column: Column, series: pl.Series, unread: dict[int, str]) -> pl.Series:
    """The column's values where they are of its kind; null and a reason where not."""
    kind: Kind = "float" if column.kind == "integer" else column.kind
    bad = texts.unlike(series, kind)
    if column.kind == "integer":
        bad = bad.append(texts.beyond_integers(series)).unique().sort()
    for row in bad.to_list():
        fault = value_fault(column, series[row], at=None, bounded=True)
        unread.setdefault(row, fault.message if fault else f"'{column.name}' is no {column.kind}.")
    kept = series.scatter(bad, None) if bad.len() else series
    values = texts.read(kept, column.kind)
    if values is None:
        values = texts.read(kept, kind)
    return values if values is not None else pl.Series(column.name, [None] * series.len(), dtype=DTYPES[kind])


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or ["damaged"])[0][:200].rstrip(".")
