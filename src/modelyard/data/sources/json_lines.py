"""JSON Lines: an object a line, as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec

from modelyard.data.encoding import fault
from modelyard.data.sources.staged import Place, Staged
from modelyard.data.sources.text import blocks, recoded
from modelyard.data.sources.writing import ParquetFile
from modelyard.errors import DataRefused
from modelyard.settings import SourceSettings

_LINES = 20_000
_LONGEST = 2**28
_decode = msgspec.json.Decoder(dict[str, bool | int | float | str | None]).decode


def stage(path: Path, origin: str, source: SourceSettings, place: Place, *, compression: str) -> Staged:
    """A key that a line lacks is null; texts that are all ISO dates or times become such.

    Raises ``DataRefused`` naming the line: no JSON object, a nested value, or a value of another kind
    than those before.
    """
    lines = _lines(recoded(blocks(path, origin, compression), origin, source.encoding), origin)
    target = place.new(path.name.partition(".")[0] + ".parquet")
    with ParquetFile(target, origin, loose=True, moments=True) as out:
        taken: list[dict[str, bool | int | float | str | None]] = []
        for number, line in enumerate(lines, start=1):
            if line.strip():
                taken.append(_object(line, number, origin))
            if len(taken) == _LINES:
                _write(out, taken)
                taken = []
        if taken:
            _write(out, taken)
        return out.finish()


def _write(out: ParquetFile, rows: list[dict[str, bool | int | float | str | None]]) -> None:
    names = list(dict.fromkeys(chain.from_iterable(rows)))
    out.add_rows(names, [[row.get(name) for row in rows] for name in names])


def _object(line: bytes, number: int, origin: str) -> dict[str, bool | int | float | str | None]:
    try:
        return _decode(line)
    except msgspec.ValidationError:
        raise _unfit(line, number, origin) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if (told := fault(line)) is not None:
            raise DataRefused(f"{origin}, line {number}: {told}") from None
        reason = str(error).removeprefix("JSON is malformed: ")
        raise DataRefused(
            f"{origin}, line {number}: no JSON: {reason}; write an object on each line."
        ) from None


def _unfit(line: bytes, number: int, origin: str) -> DataRefused:
    row = msgspec.json.decode(line)
    if not isinstance(row, dict):
        return DataRefused(f'{origin}, line {number}: no object; write {{"column": value}} on each line.')
    name = next((n for n, value in row.items() if isinstance(value, dict | list)), "?")
    return DataRefused(
        f"{origin}, line {number}: column '{name}' is nested, which has no place in a dataset; "
        "write its parts as columns of their own."
    )


def _lines(pieces: Iterator[bytes], origin: str) -> Iterator[bytes]:
    rest: list[bytes] = []
    held = 0
    first = True
    for piece in pieces:
        if first:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
            first = False
        *whole, last = piece.split(b"\n")
        if whole:
            yield b"".join([*rest, whole[0]])
            yield from whole[1:]
            rest, held = [], 0
        rest.append(last)
        held += len(last)
        if held > _LONGEST:
            raise DataRefused(f"{origin}: a line is longer than 256 MiB; write an object on each line.")
    if held:
        yield b"".join(rest)
