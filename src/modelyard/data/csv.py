"""A CSV file in blocks of whole records: comma-separated, UTF-8, a header; strict about its shape.

Where a record ends is told from quotes: outside of them a line break ends it. That reading is exact when
every quote opens or closes a field or is doubled, which is verified; from the first block where one
does not, Arrow's own reader goes on, exactly and one block after the other.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from modelyard.data.encoding import not_utf8
from modelyard.errors import DataRefused

BLOCK = 2**24
"""Bytes."""
_CACHED = 2**20
"""Bytes that are parsed at a time, so that they stay in a core's own cache."""
_SMALL = 2**14
"""Bytes of a file that is read at once."""
_LARGEST_BLOCK = 2**31 - 1
_QUOTE, _COMMA, _LF, _CR = b'",\n\r'
_MINUS, _ZERO = b"-0"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Whole records as bytes, or as a table of texts; ``first`` has the header before them."""

    content: memoryview | pa.Table
    first: bool

    @property
    def size(self) -> int:
        return self.content.nbytes


def header(path: Path) -> list[str]:
    """The names in the file's header.

    Raises ``DataRefused`` for an empty file and a header that is not UTF-8 or has an empty or repeated name.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            names = next((row for row in csv.reader(stream) if row), None)
    except UnicodeDecodeError:
        raise not_utf8(path) from None
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


def header_line(path: Path) -> int:
    """The line that the header stands on; blank ones before it do not count."""
    with path.open("rb") as stream:
        return next((n for n, line in enumerate(stream, start=1) if line.strip(b"\r\n")), 1)


def begin(path: Path) -> bytes:
    """The file's first bytes, all of a small one's."""
    with path.open("rb", buffering=0) as stream:
        return stream.read(_SMALL)


def has_header(begins: bytes, names: list[str]) -> bool:
    """Whether a file that begins so has these names, unquoted; False may also mean that they are written otherwise."""
    wanted = ",".join(names).encode()
    begins = begins.removeprefix(_BOM)
    after = begins[len(wanted) : len(wanted) + 2]
    return begins.startswith(wanted) and after.startswith((b"\n", b"\r\n")) and b'"' not in wanted


def blocks(
    path: Path,
    names: list[str],
    *,
    size: int = BLOCK,
    hear: Callable[[memoryview], None] = lambda _: None,
    whole: bytes | None = None,
) -> Iterator[Block]:
    """The file's records in order, about ``size`` bytes at a time.

    ``whole`` is all of the file where it was read already. ``hear`` is given all bytes of the file in order, unless quotes do not tell where records end. Raises
    ``DataRefused`` for a file that is cut off inside quotes.
    """
    rest, begin = b"", 0
    with _reader(path, whole) as read:
        while content := read(size, begin):
            cut = _cut(content)
            if cut is None:
                yield from _odd_blocks(path, names, begin)
                return
            if cut == 0:
                if len(content) < size and not read(1, begin + len(content)):
                    rest = content
                    break
                if size > _LARGEST_BLOCK:
                    yield from _odd_blocks(path, names, begin)
                    return
                size *= 2
                continue
            records = memoryview(content)[:cut]
            hear(records)
            yield Block(records, begin == 0)
            begin += cut
    if rest.count(b'"') % 2:
        _refuse_open_quote(path)
        yield from _odd_blocks(path, names, begin)
    elif rest:
        hear(memoryview(rest))
        yield Block(memoryview(rest), begin == 0)


@contextmanager
def _reader(path: Path, whole: bytes | None) -> Iterator[Callable[[int, int], bytes]]:
    """Reads so many bytes from a place on."""
    if whole is not None:
        yield lambda size, at: whole[at : at + size]
        return
    with path.open("rb", buffering=0) as stream:
        yield lambda size, at: os.pread(stream.fileno(), size, at)


def parse(
    path: Path,
    block: Block,
    names: list[str],
    types: Mapping[str, pa.DataType],
    *,
    nulls: Sequence[str] = ("",),
) -> pa.Table:
    """The columns in ``types``. An unquoted field in ``nulls`` is null, with more than one a quoted one as well.

    Raises ``ArrowInvalid`` for a value that is not of its type, ``DataRefused`` naming file and row
    (data rows, from 1) for records that are ragged or not UTF-8.
    """
    if isinstance(block.content, pa.Table):
        return block.content.select(list(types))
    try:
        table = _read(block.content, names, block.first, types, nulls, _CACHED)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return pa.Table.from_batches([], pa.schema(types.items()))
        if "conversion error to" in str(error) and "UTF8" not in str(error):
            raise
        raise _reason(path, names, error) from None
    except KeyError:  # Arrow reads other names there
        raise _odd_header(path) from None
    if block.first and table.schema.names != list(types):
        raise _odd_header(path)
    return table


def _read(
    content: memoryview,
    names: list[str],
    first: bool,
    types: Mapping[str, pa.DataType],
    nulls: Sequence[str],
    size: int,
) -> pa.Table:
    """In steps of ``size`` bytes, or in one where a record is longer than that."""
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(content)),
            read_options=_read_options(names, first, size),
            parse_options=_parse_options(names),
            convert_options=_convert_options(types, nulls),
        )
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error) or size > len(content):
            raise
    return _read(content, names, first, types, nulls, len(content) + 1)


def column(path: Path, name: str) -> pa.ChunkedArray:
    """One column of a whole file as texts."""
    names = header(path)
    read = [parse(path, block, names, {name: pa.large_string()}).column(0) for block in blocks(path, names)]
    return pa.chunked_array([chunk for array in read for chunk in array.chunks], pa.large_string())


def zeros_ahead(content: bytes | memoryview) -> bool:
    """Whether some field begins with a blank or as ``00``, ``01``, ``0x``, ``-01``: where Arrow reads numbers
    more freely than we do."""
    data = np.frombuffer(content, dtype=np.uint8)
    starts = range(0, len(data), _PIECE)
    pieces = (data[max(start - 3, 0) : start + _PIECE] for start in starts)
    first = np.concatenate([np.array([_LF], dtype=np.uint8), data[:3]])
    return _begins_so(first) or any(_may_begin_so(piece) and _begins_so(piece) for piece in pieces)


_PIECE = 2**17


def _may_begin_so(piece: NDArray[np.uint8]) -> bool:
    """No for nearly all pieces of which the answer is no, told in few passes: whatever ends a field is below ``-``."""
    low = piece < _MINUS
    for blank in (32, 9):
        blanks = piece == blank
        if blanks.any() and (low[:-1] & blanks[1:]).any():
            return True
    zero = (piece[:-1] == _ZERO) & (piece[1:] >= _ZERO)
    signed = (piece[:-2] == _MINUS) & zero[1:]
    return bool((low[:-2] & zero[1:]).any() or (low[:-3] & signed[1:]).any())


def _begins_so(piece: NDArray[np.uint8]) -> bool:
    begins = (piece == _COMMA) | (piece == _LF) | (piece == _QUOTE) | (piece == _CR)
    if (begins[:-1] & ((piece[1:] == 32) | (piece[1:] == 9))).any():
        return True
    after = ((piece - _ZERO) < 10) | (piece == 120) | (piece == 88)
    zero = (piece[:-1] == _ZERO) & after[1:]
    if (begins[:-2] & zero[1:]).any():
        return True
    signed = begins[:-3] & ((piece[1:-2] == 43) | (piece[1:-2] == _MINUS))
    return bool((signed & zero[2:]).any())


def _cut(content: bytes) -> int | None:
    """Where the last whole record ends; None when quotes do not tell."""
    end = content.rfind(b"\n") + 1
    data = np.frombuffer(content, dtype=np.uint8)
    # NumPy lets other threads run meanwhile, which bytes' own search does not.
    if not any((data[at : at + _CACHED] == _QUOTE).any() for at in range(0, len(data), _CACHED)):
        return _not_before_bom(content, end)
    quotes = np.flatnonzero(data == _QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    opens = (before == _COMMA) | (before == _LF) | (before == _CR) | (before == _QUOTE) | (opening == 0)
    if content.startswith(_BOM):
        opens |= opening == len(_BOM)
    after = data[np.minimum(closing + 1, len(data) - 1)]
    closes = (after == _COMMA) | (after == _LF) | (after == _CR) | (after == _QUOTE)
    if not opens.all() or not (closes | (closing == len(data) - 1)).all():
        return None
    while end:
        inside = int(np.searchsorted(quotes, end))
        if inside % 2 == 0:
            return _not_before_bom(content, end)
        end = content.rfind(b"\n", 0, int(quotes[inside - 1])) + 1
    return 0


def _not_before_bom(content: bytes, end: int) -> int:
    """Arrow drops such a mark at the beginning of what it reads; in the midst of a file it is a text's."""
    return 0 if content[end : end + 3] and _BOM.startswith(content[end : end + 3]) else end


def _odd_blocks(path: Path, names: list[str], begin: int) -> Iterator[Block]:
    """The records from that byte on, by Arrow's own reader."""
    types = dict.fromkeys(names, pa.large_string())
    block, done = BLOCK, 0
    while True:
        try:
            skip = done
            with path.open("rb") as stream:
                stream.seek(begin)
                reader = arrow_csv.open_csv(
                    stream,
                    read_options=_read_options(names, begin == 0, block),
                    parse_options=_parse_options(names),
                    convert_options=_convert_options(types, ("",)),
                )
                if reader.schema.names != names:
                    raise _odd_header(path)
                for batch in reader:
                    fresh = batch.slice(min(skip, batch.num_rows))
                    skip -= batch.num_rows - fresh.num_rows
                    done += fresh.num_rows
                    yield Block(pa.Table.from_batches([fresh]), first=False)
            break
        except KeyError:
            raise _odd_header(path) from None
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) or block == _LARGEST_BLOCK:
                raise _reason(path, names, error) from None
            block = min(block * 8, _LARGEST_BLOCK)
    with path.open("rb") as stream:
        odd = sum(content.count(b'"') for content in iter(lambda: stream.read(BLOCK), b"")) % 2
    if odd:
        _refuse_open_quote(path)


def _read_options(names: list[str], first: bool, block: int) -> arrow_csv.ReadOptions:
    return arrow_csv.ReadOptions(
        use_threads=False, block_size=min(block, _LARGEST_BLOCK), column_names=None if first else names
    )


def _parse_options(
    names: list[str], note: list[arrow_csv.InvalidRow] | None = None
) -> arrow_csv.ParseOptions:
    def keep(row: arrow_csv.InvalidRow) -> str:
        if note is not None:
            note.append(row)
        return "error"

    return arrow_csv.ParseOptions(
        newlines_in_values=True, ignore_empty_lines=len(names) > 1, invalid_row_handler=keep
    )


def _convert_options(types: Mapping[str, pa.DataType], nulls: Sequence[str]) -> arrow_csv.ConvertOptions:
    return arrow_csv.ConvertOptions(
        column_types=dict(types),
        include_columns=list(types),
        strings_can_be_null=True,
        quoted_strings_can_be_null=len(nulls) > 1,
        null_values=list(nulls),
        true_values=["true", "True", "TRUE"],
        false_values=["false", "False", "FALSE"],
    )


def _refuse_open_quote(path: Path) -> None:
    """The fast readers take the end of the file for the end of a quote, so a cut file would pass."""
    limit = csv.field_size_limit(_LARGEST_BLOCK)
    row = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for fields in csv.reader(lines, strict=True):
                row += bool(fields)
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    except csv.Error:
        # ``row`` counts the whole records before, of which the first is the header.
        raise DataRefused(f"{path}, row {row}: a quote is not closed; is the file cut off?") from None
    finally:
        csv.field_size_limit(limit)


def _reason(path: Path, names: list[str], error: Exception) -> DataRefused:
    """Read the file again from its beginning, one record after the other, up to what is wrong."""
    ragged: list[arrow_csv.InvalidRow] = []
    block = BLOCK
    while True:
        try:
            reader = arrow_csv.open_csv(
                path,
                read_options=_read_options(names, True, block),
                parse_options=_parse_options(names, ragged),
                convert_options=_convert_options(dict.fromkeys(names, pa.large_string()), ("",)),
            )
            for _ in reader:
                pass
        except pa.ArrowInvalid as again:
            if "straddl" in str(again) and block < _LARGEST_BLOCK and not ragged:
                block = min(block * 8, _LARGEST_BLOCK)
                continue
            error = again
        except (KeyError, OSError):
            pass
        break
    if ragged:
        row = ragged[0]
        return DataRefused(
            f"{path}, row {row.number - 1}: {row.actual_columns} fields, but the header names "
            f"{row.expected_columns}; mend the row."
        )
    if "UTF8" in str(error):
        return not_utf8(path)
    return DataRefused(f"{path} cannot be read as CSV: {str(error).splitlines()[0][:200]}.")


def _odd_header(path: Path) -> DataRefused:
    return DataRefused(f"{path}: the header cannot be read; write the names without line breaks or quotes.")
