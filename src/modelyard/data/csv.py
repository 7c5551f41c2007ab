"""One CSV file as texts: comma-separated, UTF-8, a header; strict about its shape."""

from __future__ import annotations

import csv
import mmap
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from modelyard.errors import DataRefused

_BLOCK = 2**24
_LARGEST_BLOCK = 2**31 - 1


def read_csv(path: Path) -> pl.DataFrame:
    """All columns as texts; an empty field is null, a quoted empty one is an empty text.

    Raises ``DataRefused`` naming file and row (data rows, from 1) for a file that is empty, ragged,
    not UTF-8, cut off inside quotes, or whose header has an empty or repeated name.
    """
    names = _header(path)
    _refuse_open_quote(path)
    block = _BLOCK
    while True:
        try:
            return _read(path, names, block=block, threads=True)
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
            if "straddl" not in str(error) or block == _LARGEST_BLOCK:
                raise _reason(path, names, block, error) from None
            block = min(block * 8, _LARGEST_BLOCK)


def _read(
    path: Path,
    names: list[str],
    *,
    block: int,
    threads: bool,
    ragged: list[arrow_csv.InvalidRow] | None = None,
) -> pl.DataFrame:
    def note(row: arrow_csv.InvalidRow) -> str:
        if ragged is not None:
            ragged.append(row)
        return "error"

    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=threads, block_size=block),
        parse_options=arrow_csv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=len(names) > 1, invalid_row_handler=note
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )
    if table.schema.names != names:
        raise DataRefused(
            f"{path}: the header cannot be read; write the names without line breaks or quotes."
        )
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            names = next((row for row in csv.reader(stream) if row), None)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except csv.Error as error:
        raise DataRefused(f"{path}: the header cannot be read: {error}.") from None
    if names is None:
        raise DataRefused(f"{path} is empty; give it a header and rows.")
    for place, name in enumerate(names, start=1):
        if not name.strip():
            raise DataRefused(
                f"{path}: column {place} has no name in the header; name it, "
                "or leave it out (pandas writes such an index unless told index=False)."
            )
        if names.count(name) > 1:
            raise DataRefused(f"{path}: the header names column '{name}' twice; rename one of them.")
    if len(names) == 1 and (mark := next((m for m in ";\t|" if m in names[0]), None)):
        shown = "a tab" if mark == "\t" else f"'{mark}'"
        raise DataRefused(f"{path} seems to be separated by {shown}; write it with commas.")
    return names


def _refuse_open_quote(path: Path) -> None:
    """The fast reader takes the end of the file for the end of a quote, so a cut file would pass."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        quotes = 0
        for start in range(0, len(content), _BLOCK):
            quotes += content[start : start + _BLOCK].count(b'"')
    if quotes % 2 == 0:
        return
    limit = csv.field_size_limit(_LARGEST_BLOCK)
    row = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for fields in csv.reader(lines, strict=True):
                row += bool(fields)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except csv.Error:
        # ``row`` counts the whole records before, of which the first is the header.
        raise DataRefused(f"{path}, row {row}: a quote is not closed; is the file cut off?") from None
    finally:
        csv.field_size_limit(limit)


def _reason(path: Path, names: list[str], block: int, error: Exception) -> DataRefused:
    ragged: list[arrow_csv.InvalidRow] = []
    try:
        _read(path, names, block=block, threads=False, ragged=ragged)
    except pa.ArrowInvalid as again:
        error = again
    if ragged:
        row = ragged[0]
        return DataRefused(
            f"{path}, row {row.number - 1}: {row.actual_columns} fields, but the header names "
            f"{row.expected_columns}; mend the row."
        )
    if "UTF8" in str(error):
        return _not_utf8(path)
    return DataRefused(f"{path} cannot be read as CSV: {str(error).splitlines()[0][:200]}.")


def _not_utf8(path: Path) -> DataRefused:
    with path.open("rb") as stream:
        line = next((n for n, content in enumerate(stream, start=1) if not _is_utf8(content)), 1)
    return DataRefused(f"{path}, line {line}: not UTF-8; save the file in that encoding.")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
