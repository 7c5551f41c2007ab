"""Bytes of a text that are not of its encoding: which they are, where they stand, what to do."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence
from pathlib import Path

from modelyard.errors import DataRefused

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WESTERN = "cp1252"
_LONGEST = 2**31 - 1


def not_utf8(path: Path) -> DataRefused:
    """The refusal of a CSV file that is not UTF-8, naming row and column of the first such byte."""
    with path.open("rb") as stream:
        begin = stream.read(4)
    marked = next((name for mark, name in _MARKS.items() if begin.startswith(mark)), None)
    if marked is not None:
        return DataRefused(f'{path} is not UTF-8 but {marked}; set the source\'s encoding = "{marked}".')
    limit = csv.field_size_limit(_LONGEST)
    try:
        found = _first(path)
    except csv.Error:
        found = None
    finally:
        csv.field_size_limit(limit)
    if found is None:
        return DataRefused(f"{path}{_line(path)}")
    place, field = found
    return DataRefused(f"{path}, {place}: {fault(field)}")


def fault(content: bytes) -> str | None:
    """What is wrong with bytes that should be UTF-8, as the end of a sentence; None when nothing is."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong = content[error.start : error.start + 1]
    else:
        return None
    try:
        like = f", '{wrong.decode(_WESTERN)}' in {_WESTERN}"
    except UnicodeDecodeError:
        like = ""
    return (
        f"not UTF-8 (byte 0x{wrong.hex().upper()}{like}); set the source's 'encoding' to what the file was "
        f'written in, such as encoding = "{_WESTERN}".'
    )


def _first(path: Path) -> tuple[str, bytes] | None:
    """Row and column, and the whole field. In Latin-1 every byte is a letter, and is written back as it was."""
    names: list[str] | None = None
    row = 0
    with path.open(encoding="latin-1", newline="") as lines:
        for fields in csv.reader(lines):
            if not fields:
                continue
            if not all(map(str.isascii, fields)):
                for at, field in enumerate(text.encode("latin-1") for text in fields):
                    if fault(field) is not None:
                        return _place(row, at, names), field
            if names is None:
                names = fields
            else:
                row += 1
    return None


def _place(row: int, at: int, names: Sequence[str] | None) -> str:
    if names is None:
        return f"name {at + 1} in the header"
    name = names[at].encode("latin-1").decode("utf-8-sig") if at < len(names) else str(at + 1)
    return f"row {row + 1}, column '{name}'"


def _line(path: Path) -> str:
    with path.open("rb") as stream:
        found = ((n, fault(line)) for n, line in enumerate(stream, start=1))
        number, told = next(((n, told) for n, told in found if told), (1, "not UTF-8; save it so."))
    return f", line {number}: {told}"
