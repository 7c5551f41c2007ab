"""Arrow and Parquet bodies, for batches (needs pyarrow, which a service may lack).

Nothing here expands without a bound: Arrow's own compression is refused, and of Parquet's only Snappy is
taken, which grows at most some twentyfold. ``python -m modelyard.wire.columnar`` reads bodies for a service, in a
process that a damaged one may end.
"""

from __future__ import annotations

import importlib
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from modelyard.tables import held
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed, Given, Reading, Values

STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"
KINDS = frozenset({STREAM, FILE, PARQUET, "application/x-parquet"})
_CODECS = frozenset({"UNCOMPRESSED", "SNAPPY"})
_TEXT_BYTES = 64 * 1024 * 1024
"""Texts of one body once they are written out."""


class Wanted(msgspec.Struct, frozen=True):
    """A body to be read to these columns."""

    kind: str
    names: list[str]
    max_rows: int
    body: bytes


class Read(msgspec.Struct, frozen=True, tag="read"):
    """Columns as lists, or as bytes of the NumPy type in ``types``."""

    columns: dict[str, Any]
    types: dict[str, str]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    status: int
    message: str
    field: str | None = None


class Columnar(Reading, frozen=True):
    """Replies with an Arrow stream or a Parquet file where ``Accept`` named it, else natively."""

    accept: str
    natively: Callable[[Given], Framed]

    def write(self, given: Given) -> Framed:
        if self.accept not in KINDS:
            return self.natively(given)
        pa = _arrow()
        table = pa.table(_answers(given)).replace_schema_metadata(
            {"model_id": given.told.model_id, "request_id": given.request_id}
        )
        sink = pa.BufferOutputStream()
        if self.accept in (STREAM, FILE):
            new = pa.ipc.new_stream if self.accept == STREAM else pa.ipc.new_file
            with new(sink, table.schema) as writer:
                writer.write_table(table)
        else:
            importlib.import_module("pyarrow.parquet").write_table(table, sink)
        return Framed(sink.getvalue().to_pybytes(), self.accept.encode())


def _answers(given: Given) -> dict[str, Any]:
    """``prediction`` and a column a class or level: ``probability_benign``, ``quantile_0.1``; of several labels
    ``prediction_rain`` and so on."""
    columns: dict[str, Any] = {"prediction": given.prediction}
    if given.told.task == "multilabel":
        columns = dict(held.columns(given.prediction, given.told.classes))
    if given.beside is not None:
        numbers = np.asarray(given.beside, dtype=np.float64)
        columns |= {name: numbers[:, i] for i, name in enumerate(beside_columns(given))}
    return columns


def beside_columns(given: Given) -> list[str]:
    told = given.told
    if told.classes:
        return [f"probability_{label}" for label in told.classes]
    return [f"quantile_{level:g}" for level in told.levels]


def read_columns(wanted: Wanted) -> dict[str, Values]:
    """A body of one of ``KINDS`` as columns; ``Problem`` 400, 413 beyond a bound, 415 without pyarrow.

    Columns that are not asked for are left aside.
    """
    pa = _arrow()
    names, max_rows = wanted.names, wanted.max_rows
    try:
        table = (
            _of_arrow(pa, wanted.body, wanted.kind, max_rows)
            if wanted.kind in (STREAM, FILE)
            else _of_parquet(pa, wanted.body, names, max_rows)
        )
        present = [name for name in table.column_names if name in names]
        if len(set(present)) < len(present):
            raise Problem(400, "The table names a column twice.")
        for name in names:
            if name not in present:
                raise Problem(400, f"The table has no column '{name}': give every feature.", field=name)
        table = table.select(names)
        table.validate(full=True)
        return {name: _values(pa, table.column(name), name) for name in names}
    except Problem:
        raise
    except MemoryError:
        raise Problem(
            413, "The body takes more memory than a service gives to it: send fewer rows."
        ) from None
    except Exception as error:  # the library raises errors of all kinds for damaged files
        said = str(error).partition("\n")[0][:200]
        raise Problem(400, f"The body is no table of {wanted.kind}: {said}") from None


def _arrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise Problem(
            415, "Arrow and Parquet need pyarrow in this service: send JSON, or install pyarrow there."
        ) from None


def _of_arrow(pa: Any, content: bytes, kind: str, max_rows: int) -> Any:
    if kind == FILE:
        content = content[8:]  # what follows the magic is a stream, and only that is read
    _refuse_compression(pa, content)
    reader = pa.ipc.open_stream(pa.BufferReader(content))
    batches, rows = [], 0
    for batch in reader:
        rows += batch.num_rows
        if rows > max_rows:
            raise _too_many(f"more than {max_rows}", max_rows)
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _of_parquet(pa: Any, content: bytes, names: list[str], max_rows: int) -> Any:
    parquet = importlib.import_module("pyarrow.parquet")
    file = parquet.ParquetFile(pa.BufferReader(content), read_dictionary=names)
    told = file.metadata
    if told.num_rows > max_rows:
        raise _too_many(str(told.num_rows), max_rows)
    for group in range(told.num_row_groups):
        for at in range(told.num_columns):
            codec = told.row_group(group).column(at).compression
            if codec not in _CODECS:
                raise Problem(
                    415, f"The Parquet body is compressed by {codec}: write it with SNAPPY or none."
                )
    return file.read(columns=[name for name in names if name in file.schema_arrow.names])


def _values(pa: Any, column: Any, name: str) -> Values:
    """Numbers as an array, NaN for null; others as a list as JSON has them."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _of_dictionary(pa, column, name)
    if pa.types.is_null(kind):
        return [None] * len(column)
    if pa.types.is_boolean(kind):
        values: list[Any] = column.to_pylist()
        return values
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and not column.null_count):
        numbers = column.to_numpy()
        if numbers.dtype.kind != "f":
            return numbers  # type: ignore[no-any-return]
        if np.isinf(numbers).any():
            raise Problem(400, f"'{name}' holds an infinite number, which no feature takes.", field=name)
        return numbers.astype(np.float64)  # type: ignore[no-any-return]
    if pa.types.is_integer(kind):
        whole: list[Any] = column.to_pylist()
        return whole
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        texts: list[Any] = column.to_pylist()
        return texts
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return [None if v is None else v.isoformat() for v in column.to_pylist()]
    if pa.types.is_decimal(kind):
        return [None if v is None else float(v) for v in column.to_pylist()]
    raise Problem(400, f"The column '{name}' is {kind}, which no feature takes.", field=name)


def _of_dictionary(pa: Any, column: Any, name: str) -> Values:
    """Each text once, however often it is said."""
    found: list[Any] = []
    held = 0
    for chunk in column.chunks:
        words = _values(pa, pa.chunked_array([chunk.dictionary]), name)
        said = [None if at is None else words[at] for at in chunk.indices.to_pylist()]
        held += sum(len(word) for word in said if isinstance(word, str))
        if held > _TEXT_BYTES:
            raise Problem(413, f"The column '{name}' holds more than {_TEXT_BYTES} characters.", field=name)
        found += said
    return found


def _too_many(seen: str, max_rows: int) -> Problem:
    return Problem(413, f"The body has {seen} rows; send at most {max_rows}.")


def _refuse_compression(pa: Any, content: bytes) -> None:
    """Compressed buffers say themselves how large they become, so none is opened."""
    for message in pa.ipc.MessageReader.open_stream(pa.BufferReader(content)):
        if message.type in ("record batch", "dictionary") and _compressed(
            message.metadata.to_pybytes(), message.type
        ):
            raise Problem(
                415, "The Arrow body is compressed: write it without compression, and gzip it as a whole."
            )


def _compressed(meta: bytes, kind: str) -> bool:
    """Whether a message's flatbuffer has a compression: Message.header (a RecordBatch, or a DictionaryBatch whose
    ``data`` is one), its field 3."""
    batch = _field(meta, _offset(meta, 0), 2)
    if batch and kind == "dictionary":
        batch = _field(meta, _offset(meta, batch), 1)
    return bool(batch) and bool(_field(meta, _offset(meta, batch), 3))


def _offset(meta: bytes, at: int) -> int:
    (step,) = struct.unpack_from("<I", meta, at)
    return at + int(step)


def _field(meta: bytes, table: int, number: int) -> int:
    """Where a table's field stands; 0 when it is absent."""
    (back,) = struct.unpack_from("<i", meta, table)
    vtable = table - back
    (size,) = struct.unpack_from("<H", meta, vtable)
    if 4 + 2 * number >= size:
        return 0
    (step,) = struct.unpack_from("<H", meta, vtable + 4 + 2 * number)
    return table + int(step) if step else 0


_MEMORY = 3 * 2**30
"""Address space of the process that reads; the libraries alone take a third of it."""


def main() -> None:
    """Read bodies from standard input until it ends, each with its length before it; answer alike."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    length = struct.Struct("<Q")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(length.size)) == length.size:
        wanted = msgspec.msgpack.decode(source.read(*length.unpack(head)), type=Wanted)
        try:
            columns = read_columns(wanted)
            types = {name: str(v.dtype) for name, v in columns.items() if isinstance(v, np.ndarray)}
            plain = {name: v.tobytes() if isinstance(v, np.ndarray) else v for name, v in columns.items()}
            answer = msgspec.msgpack.encode(Read(plain, types))
        except Problem as problem:
            answer = msgspec.msgpack.encode(Refused(problem.status, problem.message, problem.field))
        sink.write(length.pack(len(answer)) + answer)
        sink.flush()


if __name__ == "__main__":
    main()
