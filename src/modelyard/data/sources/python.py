"""Frames that a function of the project yields, as Parquet."""

from __future__ import annotations

import inspect
import linecache
import os
import sys
import traceback
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from modelyard.data.sources.staged import Place, Staged
from modelyard.data.sources.writing import ParquetFile
from modelyard.errors import AuthorError, DataRefused, ModelyardError, SettingsError, SourceMissing

_ROWS = 10_000


def stage(setting: str, place: Place) -> Staged:
    """Run ``FILE:FUNCTION`` and write what it yields as it comes.

    It returns or yields pandas or Polars frames, Arrow tables or batches, or dicts, one a row; nothing
    else is held than the piece at hand. Raises ``AuthorError`` with the file's line and message.
    """
    path, name = _named(setting, place.root)
    with _importable(path.parent):
        function = _function(path, name, setting)
        with ParquetFile(place.new(f"{name}.parquet"), setting) as out:
            for piece in _guarded(function, setting, path.parent):
                out.add(piece)
            try:
                return out.finish()
            except DataRefused as error:
                if "has no columns" not in str(error):
                    raise
                raise AuthorError(f"{setting} yielded no rows; yield frames or dicts with columns.") from None


def _named(setting: str, root: Path) -> tuple[Path, str]:
    file, colon, name = setting.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise SettingsError(f"The source '{setting}' names no function; write 'data/feed.py:rows'.")
    path = root / file
    if not path.is_file():
        raise SourceMissing(f"There is no file '{file}' in {root}; put it there or change 'source'.")
    return path, name


def _function(path: Path, name: str, setting: str) -> Any:
    module = types.ModuleType(path.stem)
    module.__file__ = str(path.resolve())
    try:
        # Compiled here: a cached .pyc of an edit within the same second would be stale.
        exec(compile(path.read_bytes(), module.__file__, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise _blame(f"{setting} cannot be imported", error, path.parent) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise AuthorError(f"{setting}: the file defines no function '{name}'; add 'def {name}():'.")
    try:
        inspect.signature(function).bind()
    except TypeError:
        raise AuthorError(
            f"{setting}: '{name}' must take no arguments; read what it needs from the environment."
        ) from None
    except ValueError:  # a compiled callable without a signature
        pass
    return function


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
        raise _blame(f"{setting} raised", error, folder) from None
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


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The file's folder first on ``sys.path``; what is imported from it is forgotten after."""
    place = str(folder.resolve())
    path, bytecode, here = sys.path[:], sys.dont_write_bytecode, Path.cwd()
    known = dict(sys.modules)
    own = {p.stem for p in folder.iterdir() if p.suffix == ".py" or p.is_dir()} - {"modelyard"}
    own -= set(sys.stdlib_module_names)
    aside = {
        n: sys.modules.pop(n) for n in list(sys.modules) if n.partition(".")[0] in own and _lies_in(n, place)
    }
    sys.path.insert(0, place)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        for name in [n for n in sys.modules if n not in known and _lies_in(n, place)]:
            del sys.modules[name]
        sys.modules.update(aside)
        sys.path[:], sys.dont_write_bytecode = path, bytecode
        os.chdir(here)


def _lies_in(name: str, place: str) -> bool:
    return (getattr(sys.modules.get(name), "__file__", None) or "").startswith(place + os.sep)


def _blame(what: str, error: BaseException, folder: Path) -> AuthorError:
    message = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())[:300]
    if isinstance(error, KeyError) and error.args:
        message = str(error.args[0])
    if isinstance(error, ModuleNotFoundError):
        message += "; install it"
    where = _line(error, folder)
    return AuthorError(f"{what}{where}: {type(error).__name__}: {message}".rstrip(": .") + ".")


def _line(error: BaseException, folder: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}, line {error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).resolve().is_relative_to(folder.resolve()):
            linecache.checkcache(frame.filename)
            code = f" ({frame.line.strip()!r})" if frame.line else ""
            return f" at {frame.filename}, line {frame.lineno}{code}"
    return ""
