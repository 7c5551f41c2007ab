"""Files to one typed table, a few blocks at a time.

The kinds of all columns are believed from the first rows. Blocks are read on all cores and worked on in the types
believed; the first that contradicts turns the rest of the reading into a survey, after which the
kinds are known and the reading begins again: every file is read at most twice.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.data import csv, texts
from modelyard.data.bundle import type_together
from modelyard.data.cores import in_order
from modelyard.data.csv import Block
from modelyard.data.headings import heading, unlike
from modelyard.data.place import Place
from modelyard.data.sources.listing import Setting
from modelyard.data.staging import Staged, stage
from modelyard.data.stamps import Heard, Stamp, stamp
from modelyard.data.texts import NOTHING
from modelyard.data.typed import MOST_UNLIKE, Known, Typed, type_block, type_table
from modelyard.data.unread import Refuse, Unread, refusal, told
from modelyard.errors import DataRefused, StoreDown
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.infer import is_blank
from modelyard.tables.kinds import kind_of
from modelyard.tables.rules import show

Work = TypeVar("Work")
Kinds = dict[str, Kind | None]
"""None: there was no value yet."""

_NUMBERS: set[Kind | None] = {"integer", "float"}
_FEW = 2**18
"""Bytes from which the kinds are first believed."""
_MOST_FILES = 1024
"""In one piece of work."""
_HELD = 2**26
"""Bytes of small files that are kept between the look at their headers and the reading."""
_LARGE_GROUP = 2**27
"""Bytes of a Parquet row group that are not read at once."""
_GROUP_ROWS = 2**17


@dataclass(frozen=True)
class Reading(Generic[Work]):
    """What ``read_through`` made of the files, piece by piece in the order of the rows."""

    kinds: Kinds
    rows: int
    done: tuple[Work, ...]
    place: Place
    told: Mapping[Path, Heard] = field(default_factory=dict)
    """The files of which size and sha256 came to be known."""


@dataclass
class _File:
    at: int
    staged: Staged
    names: list[str]
    known: Known = field(default_factory=Known)
    told: Heard | None = None
    """Once all bytes were read."""
    small: tuple[bytes, Stamp | None] | None = None
    """All bytes of a small file, and its stamp from before they were read."""

    @property
    def path(self) -> Path:
        return self.staged.path


@dataclass(frozen=True)
class _Piece:
    file: _File
    content: Block | pa.Table | int
    """Records, rows, or the number of a row group."""
    size: int


@dataclass(frozen=True)
class _Answer(Generic[Work]):
    size: int
    typed: list[tuple[_File, Typed]]
    done: Work | None
    """None when something did not fit."""


def extract(source: Setting, root: Path, *, schema: Schema | None = None) -> pl.DataFrame:
    """The rows of all files that the source names, as one frame.

    With a schema only its columns are read, and a CSV's texts as their kinds. Raises
    ``SourceMissing``, or ``DataRefused`` naming file, column and row: files that cannot be read,
    whose columns differ, or where one holds texts and another numbers (an integer column in one and
    a float one in another become float).
    """
    scratch = root / ".modelyard" / "scratch" / secrets.token_hex(6)
    try:
        staged = stage(source, root, scratch)
        whole = pl.concat(read_through(staged, lambda frame: frame, schema=schema).done)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return (
        whole if schema is None else whole.select(c.name for c in schema.columns if c.name in whole.columns)
    )


def read_through(
    files: Sequence[Staged],
    work: Callable[[pl.DataFrame], Work],
    *,
    schema: Schema | None = None,
    begin: Callable[[Kinds], None] = lambda _: None,
    tell: Callable[[int, int], None] = lambda _rows, _bytes: None,
    block: int = csv.BLOCK,
    refuse: Refuse = refusal,
    some: bool = True,
) -> Reading[Work]:
    """Call ``work`` with the rows of all files, piece by piece, on several threads.

    ``begin`` is told the kinds before each reading; when it is told again, what the works before have given is
    forgotten. Pieces have the columns of the first file and the storage types of their kinds (floats where no
    row has a value). Without any row the files are refused, unless ``some`` is
    false. ``tell`` hears how many rows and bytes are done. Raises as ``extract``;
    values that are none of their known kind are all counted before ``refuse`` makes the error of them.
    """
    heads = [_open(0, files[0])]
    held = 0
    for at, staged in enumerate(files[1:], start=1):
        heads.append(_open(at, staged, heads[0], keep=held < _HELD))
        held += len(heads[-1].small[0]) if heads[-1].small else 0
    for other in heads[1:]:
        _same_columns(heads[0], other)
    hints = {c.name: c for c in schema.columns if not is_blank(c)} if schema else {}
    hints = {name: c for name, c in hints.items() if name in heads[0].names}
    kinds = _first_kinds(heads[0], hints)
    for _ in range(3):
        begin(kinds)
        found = _read_once(heads, work, kinds, hints, tell, block, refuse)
        if isinstance(found, Reading):
            if some and found.rows == 0:
                names = ", ".join(h.staged.origin for h in heads[:3])
                raise DataRefused(f"{names}: columns but no rows; give rows.")
            return found
        kinds = found
    raise DataRefused(f"{heads[0].staged.origin} changes while it is read; run it again when it is complete.")


def _read_once(
    heads: list[_File],
    work: Callable[[pl.DataFrame], Work],
    kinds: Kinds,
    hints: Mapping[str, Column],
    tell: Callable[[int, int], None],
    block: int,
    refuse: Refuse,
) -> Reading[Work] | Kinds:
    """The reading, or the kinds to read with when those believed are not the files'."""
    order = list(kinds)
    fits = [dict.fromkeys(order, NOTHING) for _ in heads]
    rows = [0] * len(heads)
    survey = False
    read = 0
    done: list[Work] = []
    unread: list[Unread] = []
    unlike: Counter[str] = Counter()

    def type_pieces(pieces: list[_Piece]) -> _Answer[Work]:
        size = sum(piece.size for piece in pieces)
        if not survey and (together := _together(pieces, kinds, hints)) is not None:
            typed, columns = together
            return _Answer(size, typed, work(pl.DataFrame([columns[name] for name in order])))
        typed = [(piece.file, _typed(piece, kinds, hints)) for piece in pieces]
        if survey or any(len(found.columns) < len(order) for _, found in typed):
            return _Answer(size, typed, None)
        frames = [pl.DataFrame([found.columns[name] for name in order]) for _, found in typed if found.rows]
        if not frames:
            frames = [pl.DataFrame([found.columns[name] for name in order]) for _, found in typed[:1]]
        return _Answer(size, typed, work(pl.concat(frames) if len(frames) > 1 else frames[0]))

    for answer in in_order(_units(heads, block), type_pieces):
        for file, found in answer.typed:
            for name, wrong in found.unlike.items():
                unlike[name] += wrong.count
            if found.unlike:
                room = MOST_UNLIKE - len(unread)
                unread += islice(told(file.staged.origin, rows[file.at], found.unlike, hints), room)
            for name, fit in found.fits.items():
                fits[file.at][name] += fit
            rows[file.at] += found.rows
        read += answer.size
        tell(sum(rows), read)
        if answer.done is None:
            survey = True
            done.clear()
        else:
            done.append(answer.done)
    if unread:
        raise refuse(unread, unlike)
    agreed = {name: _agreed(name, heads, [f[name].kind for f in fits], hints) for name in order}
    if survey or any(kind not in (None, kinds[name]) for name, kind in agreed.items()):
        return agreed
    files = tuple((head.staged.origin, count) for head, count in zip(heads, rows, strict=True))
    whole = {head.path: head.told for head in heads if head.told}
    return Reading(agreed, sum(rows), tuple(done), Place(files), whole)


def _units(heads: list[_File], block: int) -> Iterator[list[_Piece]]:
    """Small files together, large ones in blocks."""
    unit: list[_Piece] = []
    size = 0
    for head in heads:
        for piece in _pieces(head, block):
            if unit and (size + piece.size > block or len(unit) == _MOST_FILES):
                yield unit
                unit, size = [], 0
            unit.append(piece)
            size += piece.size
    if unit:
        yield unit


def _pieces(file: _File, block: int) -> Iterator[_Piece]:
    try:
        if file.staged.form == "csv":
            heard = hashlib.sha256()
            whole, before = file.small or (None, stamp(file.path))
            size = 0
            for content in csv.blocks(file.path, file.names, size=block, hear=heard.update, whole=whole):
                size += content.size if isinstance(content.content, memoryview) else -(2**63)
                yield _Piece(file, content, content.size)
            # Of records that only Arrow's own reader can tell apart not all bytes are heard.
            file.told = Heard(size, heard.hexdigest(), before) if size >= 0 and before else None
            return
        reader = pq.ParquetFile(file.path, page_checksum_verification=True)
        for group in range(reader.num_row_groups):
            size = reader.metadata.row_group(group).total_byte_size
            if size <= _LARGE_GROUP:
                yield _Piece(file, group, size)
                continue
            for batch in reader.iter_batches(_GROUP_ROWS, row_groups=[group]):
                yield _Piece(file, pa.Table.from_batches([batch]), batch.nbytes)
    except (PermissionError, pa.ArrowException, OSError) as error:
        raise _unreadable(file.staged, error) from None
    except DataRefused as error:
        raise _of_origin(file.staged, error) from None


def _typed(piece: _Piece, kinds: Kinds, hints: Mapping[str, Column]) -> Typed:
    file = piece.file
    try:
        if isinstance(piece.content, Block):
            known = {name: column.kind for name, column in hints.items()}
            return type_block(piece.content, file.path, file.names, kinds, known, file.known)
        table = piece.content
        if isinstance(table, int):
            table = pq.ParquetFile(file.path, page_checksum_verification=True).read_row_group(
                table, use_threads=False
            )
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return type_table(frame, file.path, kinds)
    except (PermissionError, pa.ArrowException, OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(file.staged, error) from None
    except DataRefused as error:
        raise _of_origin(file.staged, error) from None


def _together(
    pieces: Sequence[_Piece], kinds: Kinds, hints: Mapping[str, Column]
) -> tuple[list[tuple[_File, Typed]], dict[str, pl.Series]] | None:
    """Small CSV files as one: what is told of each, and the columns of all."""
    blocks = [piece.content for piece in pieces if isinstance(piece.content, Block)]
    first = pieces[0].file
    if len(blocks) == 1 or len(blocks) < len(pieces) or any(p.file.names != first.names for p in pieces):
        return None
    known = {name: column.kind for name, column in hints.items()}
    if (found := type_together(blocks, first.path, first.names, kinds, known)) is None:
        return None
    whole, rows = found
    told = [(piece.file, Typed(n, {}, whole.fits, {})) for piece, n in zip(pieces, rows, strict=True)]
    return told, whole.columns


def _open(at: int, staged: Staged, like: _File | None = None, *, keep: bool = False) -> _File:
    """``like`` is a file whose header this one's may be, which is told faster than a header is read."""
    try:
        if staged.form == "csv":
            if like and like.staged.form == "csv":
                before = stamp(staged.path)
                begins = csv.begin(staged.path)
                if csv.has_header(begins, like.names):
                    whole = keep and before is not None and len(begins) == before[0]
                    return _File(at, staged, like.names, small=(begins, before) if whole else None)
            return _File(at, staged, csv.header(staged.path))
        held = (str(name) for name in pq.read_schema(staged.path).names)
        names = [name for name in held if name not in staged.leave]
    except (PermissionError, pa.ArrowException, OSError) as error:
        raise _unreadable(staged, error) from None
    except DataRefused as error:
        raise _of_origin(staged, error) from None
    if not names:
        raise DataRefused(f"{staged.origin} has no columns; give it columns and rows.")
    return _File(at, staged, names)


def _unreadable(staged: Staged, error: Exception) -> DataRefused | StoreDown:
    if isinstance(error, PermissionError):
        return DataRefused(f"{staged.origin} may not be read; give read permission on it.")
    if isinstance(error, OSError) and error.errno is not None:
        return StoreDown(f"{staged.origin} cannot be read: {error.strerror or error}.")
    reason = (str(error).splitlines() or ["damaged"])[0][:200].rstrip(".")
    form = "CSV" if staged.form == "csv" else "Parquet"
    return DataRefused(f"{staged.origin} is no readable {form} file: {reason}.")


def _of_origin(staged: Staged, error: DataRefused) -> DataRefused:
    """A refusal of the file that was staged, in the name of where it came from."""
    return DataRefused(str(error).replace(str(staged.path), staged.origin))


def _same_columns(first: _File, other: _File) -> None:
    if first.names != other.names and (told := unlike(other.names, first.names, first.staged.origin)):
        raise DataRefused(f"{heading(other.staged)}: {told}; files of one dataset have the same columns.")


def _first_kinds(head: _File, hints: Mapping[str, Column]) -> Kinds:
    """What the first rows look like, unless it is known."""
    kinds: Kinds = dict.fromkeys(head.names)
    if head.staged.form == "csv":
        for block in csv.blocks(head.path, head.names, size=_FEW):
            types = dict.fromkeys(head.names, pa.large_string())
            frame = pl.from_arrow(csv.parse(head.path, block, head.names, types).slice(0, 1000))
            assert isinstance(frame, pl.DataFrame)
            kinds = {series.name: texts.fits(series).kind for series in frame}
            break
    else:
        try:
            empty = pl.from_arrow(pa.Table.from_batches([], pq.read_schema(head.path)))
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(head.staged, error) from None
        assert isinstance(empty, pl.DataFrame)
        kinds = {name: kind_of(empty[name].dtype) for name in head.names}
    return {name: hints[name].kind if name in hints else kind for name, kind in kinds.items()}


def _agreed(
    name: str, heads: list[_File], kinds: list[Kind | None], hints: Mapping[str, Column]
) -> Kind | None:
    held = set(kinds) - {None}
    if len(held) > 1 and held != _NUMBERS:
        raise _disagreement(name, heads, kinds)
    if not held:
        return None
    kind: Kind | None = "float" if len(held) > 1 else held.pop()
    if kind == "integer" and name in hints and hints[name].kind == "float":
        return "float"
    return kind


def _disagreement(name: str, heads: list[_File], kinds: list[Kind | None]) -> DataRefused:
    """Blame the file with texts, at its first value that is not what the other file holds."""
    held = [(kind, head) for kind, head in zip(kinds, heads, strict=True) if kind is not None]
    kind, first = held[0]
    other_kind, other = next(e for e in held if e[0] != kind and {e[0], kind} != _NUMBERS)
    if kind == "string":
        kind, first, other_kind, other = other_kind, other, kind, first
    values = _column(other, name)
    row = None
    if other.staged.form == "csv" and kind is not None and other_kind == "string":
        row = next(iter(texts.unlike(values, "float" if kind == "integer" else kind)), None)
    if row is None:
        row = int(values.is_not_null().arg_true()[0])
    return DataRefused(
        f"{other.staged.origin}, row {row + 1}: '{name}' is {show(values[row])}, but {first.staged.origin} holds "
        f"{kind} values there; files of one dataset agree on kinds."
    )


def _column(file: _File, name: str) -> pl.Series:
    if file.staged.form == "csv":
        series = pl.from_arrow(csv.column(file.path, name))
    else:
        series = pl.from_arrow(pq.read_table(file.path, columns=[name]).column(0))
    assert isinstance(series, pl.Series)
    return series
