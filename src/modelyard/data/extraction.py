"""Files to one frame."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from modelyard.data import texts
from modelyard.data.csv import read_csv
from modelyard.data.sources.listing import Setting
from modelyard.data.staging import Staged, recorded, stage
from modelyard.errors import DataRefused, StoreDown
from modelyard.records.dataset import SourceFile
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.infer import is_blank
from modelyard.tables.kinds import convert, kind_of
from modelyard.tables.rules import WANTED, show, value_fault

_NUMBERS: set[Kind | None] = {"integer", "float"}


@dataclass(frozen=True)
class Extracted:
    """The rows of all files one after the other; ``files`` are (name, rows)."""

    frame: pl.DataFrame
    files: tuple[tuple[str, int], ...]
    sources: tuple[SourceFile, ...] | None = None
    """Told where only reading could tell what the rows were made of."""

    def place(self, row: int) -> str:
        """``file, row n`` of a row counted from 1 over all files."""
        for path, rows in self.files:
            if row <= rows:
                return f"{path}, row {row}"
            row -= rows
        raise IndexError(row)


@dataclass(frozen=True)
class _Source:
    path: str
    """What messages call it."""
    frame: pl.DataFrame
    texts: bool
    """From a CSV: every column holds texts."""


def extract(source: Setting, root: Path, *, schema: Schema | None = None) -> pl.DataFrame:
    """The rows of all files that the source names, as one frame.

    With a schema only its columns are read, and a CSV's texts as their kinds. Raises
    ``SourceMissing``, or ``DataRefused`` naming file, column and row: files that cannot be read,
    whose columns differ, or where one holds texts and another numbers (an integer column in one and
    a float one in another become float).
    """
    frame = gather_files(source, root, schema=schema).frame
    if schema is None:
        return frame
    return frame.select(c.name for c in schema.columns if c.name in frame.columns)


def gather_files(
    source: Setting, root: Path, *, schema: Schema | None = None, record: bool = False
) -> Extracted:
    """As ``extract``, with all columns and where each row came from; ``record`` tells ``sources``."""
    scratch = root / ".modelyard" / "scratch" / secrets.token_hex(6)
    try:
        staged = stage(source, root, scratch)
        sources = [_read(one) for one in staged]
        made_of = recorded(source, root, staged) if record else None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    first = sources[0]
    for other in sources[1:]:
        _same_columns(first, other)
    known = {c.name: c for c in schema.columns} if schema else {}
    columns = [_column(name, sources, known.get(name)) for name in first.frame.columns]
    frame = pl.DataFrame(columns)
    if frame.height == 0:
        names = ", ".join(s.path for s in sources[:3])
        raise DataRefused(f"{names}: columns but no rows; give rows.")
    return Extracted(frame, tuple((s.path, s.frame.height) for s in sources), made_of)


def _read(staged: Staged) -> _Source:
    path = staged.path
    try:
        if staged.form == "csv":
            return _Source(staged.origin, read_csv(path), texts=True)
        return _Source(staged.origin, _read_parquet(path), texts=False)
    except PermissionError:
        raise DataRefused(f"{path} may not be read; give read permission on it.") from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror or error}.") from None


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        with path.open("rb") as stream:
            frame = pl.read_parquet(stream)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        reason = (str(error).splitlines() or ["damaged"])[0][:200]
        raise DataRefused(f"{path} is no readable Parquet file: {reason}.") from None
    if frame.width == 0:
        raise DataRefused(f"{path} has no columns; give it columns and rows.")
    return frame


def _same_columns(first: _Source, other: _Source) -> None:
    for one, two in ((first, other), (other, first)):
        for name in one.frame.columns:
            if name not in two.frame.columns:
                raise DataRefused(
                    f"{two.path} has no column '{name}', but {one.path} has; "
                    "files of one dataset have the same columns."
                )


def _column(name: str, sources: list[_Source], known: Column | None) -> pl.Series:
    hint = None if known is None or is_blank(known) else known
    parts = [_typed(source, name, hint) for source in sources]
    kinds = {_kind(part, source) for part, source in zip(parts, sources, strict=True)} - {None}
    if len(kinds) > 1 and kinds != _NUMBERS:
        raise _disagreement(name, sources, parts)
    return pl.concat(_one_type(parts, kinds)).rename(name)


def _one_type(parts: list[pl.Series], kinds: set[Kind | None]) -> list[pl.Series]:
    dtypes = {part.dtype for part in parts} - {pl.Null()}
    if len(dtypes) > 1:
        kind: Kind = "float" if "float" in kinds else next(k for k in kinds if k is not None)
        return [convert(part, Column(name=part.name, kind=kind)) for part in parts]
    return [part.cast(dtype) for dtype in dtypes for part in parts] if dtypes else parts


def _typed(source: _Source, name: str, hint: Column | None) -> pl.Series:
    series = source.frame[name]
    if not source.texts:
        return series if series.null_count() < series.len() else series.clear(series.len()).cast(pl.Null)
    if hint is None or series.null_count() == series.len():
        return texts.typed(series)
    for kind in (hint.kind, "float") if hint.kind == "integer" else (hint.kind,):
        if (read := texts.read(series, kind)) is not None:
            return read
    wider: Kind = "float" if hint.kind == "integer" else hint.kind
    row = texts.first_unlike(series, wider)
    if row is None:
        return series.clear(series.len()).cast(pl.Null)
    fault = value_fault(hint, series[row])
    message = fault.message if fault else f"'{name}' must be {WANTED[hint.kind]}."
    raise DataRefused(f"{source.path}, row {row + 1}: {message}")


def _kind(part: pl.Series, source: _Source) -> Kind | None:
    if part.dtype == pl.Null:
        return None
    kind = kind_of(part.dtype)
    if kind is None:
        raise DataRefused(
            f"{source.path}: column '{part.name}' is of type {part.dtype}, which has no place in a dataset; "
            "write it as a number, a text, a date or a time."
        )
    return kind


def _disagreement(name: str, sources: list[_Source], parts: list[pl.Series]) -> DataRefused:
    """Blame the file with texts, at its first value that is not what the other file holds."""
    held = [(kind_of(p.dtype), s, p) for s, p in zip(sources, parts, strict=True) if p.dtype != pl.Null]
    kind, first, _ = held[0]
    other_kind, other, part = next(e for e in held if e[0] != kind and {e[0], kind} != _NUMBERS)
    if kind == "string":
        kind, first, other_kind, other, part = other_kind, other, kind, first, held[0][2]
    row = None
    if other.texts and kind is not None and other_kind == "string":
        row = texts.first_unlike(part, "float" if kind == "integer" else kind)
    if row is None:
        row = int(part.is_not_null().arg_true()[0])
    return DataRefused(
        f"{other.path}, row {row + 1}: '{name}' is {show(part[row])}, but {first.path} holds "
        f"{kind} values there; files of one dataset agree on kinds."
    )
