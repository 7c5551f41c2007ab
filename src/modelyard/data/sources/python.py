"""Frames that a function of the project yields, as Parquet."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from modelyard.authors.blame import blame
from modelyard.authors.modules import execute, isolated
from modelyard.data.sources.staged import Place, Staged
from modelyard.data.sources.writing import ParquetFile
from modelyard.errors import AuthorError, DataRefused, ModelyardError, SettingsError, SourceMissing

_ROWS = 10_000


def stage(setting: str, place: Place) -> tuple[Staged, ...]:
    """Run ``FILE:FUNCTION`` and write what it yields as it comes.

    It returns or yields pandas or Polars frames, Arrow tables or batches, or dicts, one a row; nothing
    else is held than the piece at hand. A function that takes ``since`` is told where rows begin to be wanted, or
    None; where they do, there may be none, and nothing is staged. Raises ``AuthorError`` with the file's line and message.
    """
    path, name = _named(setting, place.root)
    modules: dict[str, types.ModuleType] = {}
    function, told = _function(path, name, setting, modules)
    given = {"since": place.since.value if place.since else None} if told else {}
    with isolated(path.parent, modules), ParquetFile(place.new(f"{name}.parquet"), setting) as out:
        for piece in _guarded(lambda: function(**given), setting, path.parent):
            out.add(piece)
        try:
            return (out.finish(),)
        except DataRefused as error:
            if "has no columns" not in str(error):
                raise
            if place.since:
                return ()
            raise AuthorError(f"{setting} yielded no rows; yield frames or dicts with columns.") from None


def _named(setting: str, root: Path) -> tuple[Path, str]:
    file, colon, name = setting.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise SettingsError(f"The source '{setting}' names no function; write 'data/feed.py:rows'.")
    path = root / file
    if not path.is_file():
        raise SourceMissing(f"There is no file '{file}' in {root}; put it there or change 'source'.")
    return path, name


def _function(path: Path, name: str, setting: str, modules: dict[str, types.ModuleType]) -> tuple[Any, bool]:
    """It, and whether it takes ``since``."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise DataRefused(f"{setting} cannot be read: {error.strerror}.") from None
    module = execute(path, source, modules, what=f"{setting} cannot be imported")
    function = getattr(module, name, None)
    if not callable(function):
        raise AuthorError(f"{setting}: the file defines no function '{name}'; add 'def {name}():'.")
    try:
        signature = inspect.signature(function)
    except ValueError:  # a compiled callable without a signature
        return function, False
    told = "since" in signature.parameters
    try:
        signature.bind(**({"since": None} if told else {}))
    except TypeError:
        raise AuthorError(
            f"{setting}: '{name}' must take no arguments, or 'since'; read what it needs from the environment."
        ) from None
    return function, told


def _guarded(function: Any, setting: str, folder: Path) -> Iterator[Any]:
    """The pieces as Arrow tables; what the author's code raises is the author's."""
    pieces: Any = None
    try:
        pieces = _tables(function(), setting)
        while True:
            try:
                piece = next(pieces)
            except StopIteration:
                return
            yield piece
    except ModelyardError:
        raise
    except (Exception, SystemExit) as error:
        raise blame(f"{setting} raised", error, folder) from error
    finally:
        if pieces is not None:
            pieces.close()


def _tables(answer: Any, setting: str) -> Iterator[Any]:
    if _table(answer) is not None:
        answer = [answer]
    elif isinstance(answer, Mapping | str | bytes) or not hasattr(answer, "__iter__"):
        raise AuthorError(
            f"{setting} returned a {type(answer).__name__}; return or yield frames, Arrow tables or dicts, one a row."
        )
    pieces = iter(answer)
    held: list[Mapping[str, Any]] = []
    for number, piece in enumerate(pieces, start=1):
        if isinstance(piece, Mapping):
            held.append(piece)
            if len(held) == _ROWS:
                yield _of_rows(held, setting, number - len(held))
                held = []
            continue
        table = _table(piece)
        if table is None:
            raise AuthorError(
                f"{setting} yielded a {type(piece).__name__} as number {number}; "
                "yield frames, Arrow tables or dicts, one a row."
            )
        if held:
            yield _of_rows(held, setting, number - 1 - len(held))
            held = []
        yield table
    if held:
        yield _of_rows(held, setting, 0)


def _table(piece: Any) -> Any:
    import pyarrow as pa

    if isinstance(piece, pa.Table):
        return piece
    if isinstance(piece, pa.RecordBatch):
        return pa.Table.from_batches([piece])
    kind = type(piece).__module__.partition(".")[0]
    if kind == "polars":
        piece = piece.collect(engine="streaming") if type(piece).__name__ == "LazyFrame" else piece
        return piece.to_arrow() if hasattr(piece, "to_arrow") and hasattr(piece, "columns") else None
    if kind == "pandas" and type(piece).__name__ == "DataFrame":
        return pa.Table.from_pandas(piece, preserve_index=False)
    return None


def _of_rows(rows: list[Mapping[str, Any]], setting: str, before: int) -> Any:
    import pyarrow as pa

    from modelyard.data.sources.writing import column_of

    names = list(dict.fromkeys(chain.from_iterable(rows)))
    for name in names:
        if not isinstance(name, str):
            raise AuthorError(f"{setting} yielded a dict with the key {name!r}; keys are names of columns.")
    columns = [
        column_of([row.get(name) for row in rows], name, origin=setting, first=before + 1) for name in names
    ]
    return pa.Table.from_arrays(columns, names=names)
