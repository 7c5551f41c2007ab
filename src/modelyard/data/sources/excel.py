"""A sheet of an Excel file (.xlsx), as Parquet: the first row names the columns."""

from __future__ import annotations

import datetime as dt
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelyard.data.sources.extra import needs
from modelyard.data.sources.staged import Place, Staged
from modelyard.data.sources.writing import ParquetFile
from modelyard.errors import DataRefused

_ROWS = 10_000
_NULLS = ("", "NA", "N/A", "#N/A", "null", "NULL", "None")
_FORMULA_ERRORS = ("#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!")


def stage(path: Path, origin: str, sheet: str | None, place: Place) -> Staged:
    """Cells as Excel holds them; of formulas the value that Excel last saw.

    Empty cells and ``#N/A`` are null, and so are ``NA`` and the like in columns that hold no other
    texts. A column of days is one of dates when no cell has a time. Raises ``DataRefused`` naming
    the row for a column of mixed kinds, a time of day without a day, and a formula's error.
    """
    openpyxl: Any = needs("openpyxl", "excel", "Excel files")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which hold no cells
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, openpyxl.utils.exceptions.InvalidFileException):
        raise DataRefused(f"{origin} is no readable Excel file (.xlsx); save it as one.") from None
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise DataRefused(f"{origin} has no sheet '{sheet}'; it has {', '.join(book.sheetnames)}.")
        page = book[sheet] if sheet is not None else book.worksheets[0]
        page.reset_dimensions()  # other programs write wrong ones
        return _stage(page, f"{origin}, sheet '{page.title}'", place.new(path.stem + ".parquet"))
    finally:
        book.close()


def _stage(page: Any, origin: str, target: Path) -> Staged:
    rows = page.iter_rows(values_only=True)
    names = _names(next(rows, ()), origin)
    kinds = _kinds(_filled(page, names, origin), names, origin)
    with ParquetFile(target, origin) as out:
        held: list[tuple[Any, ...]] = []
        for _, row in _filled(page, names, origin):
            held.append(row)
            if len(held) == _ROWS:
                _write(out, names, held, kinds)
                held = []
        _write(out, names, held, kinds)
        return out.finish()


def _names(header: tuple[Any, ...], origin: str) -> list[str]:
    cells = list(header)
    while cells and _null(cells[-1]):
        cells.pop()
    if not cells:
        raise DataRefused(f"{origin} is empty; give it a row of names and rows of values.")
    names = []
    for place, cell in enumerate(cells, start=1):
        name = "" if cell is None else str(cell).strip()
        if not name:
            raise DataRefused(f"{origin}: column {place} has no name in the first row; name it.")
        if name in names:
            raise DataRefused(f"{origin}: the first row names column '{name}' twice; rename one of them.")
        names.append(name)
    return names


def _filled(page: Any, names: list[str], origin: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Rows under the header that hold anything, with their number in the sheet."""
    width = len(names)
    for number, row in enumerate(page.iter_rows(min_row=2, values_only=True), start=2):
        if all(cell is None or cell == "" for cell in row):
            continue
        if any(not _null(cell) for cell in row[width:]):
            raise DataRefused(
                f"{origin}, line {number}: a value beyond the last named column; name its column."
            )
        yield number, (*row[:width], *[None] * (width - len(row)))


def _kinds(rows: Iterator[tuple[int, tuple[Any, ...]]], names: list[str], origin: str) -> list[type]:
    """The kind of each column over all rows, so that it does not depend on where a piece ends."""
    found: list[type] = [type(None)] * len(names)
    blanks: list[bool] = [False] * len(names)
    for number, row in rows:
        for at, cell in enumerate(row):
            if cell is None or (type(cell) is str and cell.strip() in _NULLS):
                blanks[at] = blanks[at] or (cell is not None and cell not in ("", "#N/A"))
                continue
            found[at] = _wider(found[at], cell, f"{origin}, line {number}: column '{names[at]}'")
    # A column of nothing but such words holds them as texts, as in a CSV.
    return [str if kind is type(None) and blank else kind for kind, blank in zip(found, blanks, strict=True)]


def _wider(kind: type, cell: Any, where: str) -> type:
    now = type(cell)
    if now is str and cell in _FORMULA_ERRORS:
        raise DataRefused(f"{where} is {cell}; mend the formula.")
    if now in (dt.time, dt.timedelta):
        raise DataRefused(
            f"{where} is a time without a day, which has no place in a dataset; write it as a number."
        )
    if now is dt.datetime and kind is not dt.datetime and cell.time() == dt.time():
        now = dt.date
    if kind in (now, type(None)):
        return now
    if {kind, now} == {int, float}:
        return float
    if {kind, now} == {dt.date, dt.datetime}:
        return dt.datetime
    raise DataRefused(
        f"{where} is {cell!r} here and {_WORDS[kind]} above; one column holds one kind of value."
    )


def _write(out: ParquetFile, names: list[str], rows: list[tuple[Any, ...]], kinds: list[type]) -> None:
    columns = [[_cell(row[at], kind) for row in rows] for at, kind in enumerate(kinds)]
    out.add_rows(names, columns)


def _cell(cell: Any, kind: type) -> Any:
    if cell is None or cell in ("", "#N/A"):
        return None
    if kind is str:
        return cell
    if type(cell) is str:
        return None
    if kind is float:
        return float(cell)
    return cell.date() if kind is dt.date and type(cell) is dt.datetime else cell


def _null(cell: Any) -> bool:
    return cell is None or cell == ""


_WORDS: dict[type, str] = {
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    dt.date: "a date",
    dt.datetime: "a date",
}
