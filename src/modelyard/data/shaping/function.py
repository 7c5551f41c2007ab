"""``python``: a function of the project from lazy frames to one."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from modelyard.authors.blame import blame
from modelyard.authors.modules import execute, isolated
from modelyard.data.definition import function_of
from modelyard.data.shaping.cleaning import nearest
from modelyard.data.shaping.reading import Table, joined_group
from modelyard.data.shaping.settled import Settled, settle
from modelyard.errors import AuthorError, DataRefused, ModelyardError


def run(python: str, tables: Mapping[str, Table], root: Path, path: Path) -> Settled:
    """What the function makes of the tables, written to ``path``.

    Raises ``AuthorError`` with the file's line, for what it raises and what it returns; what its
    expressions raise as rows pass is told without a line, which Polars does not keep.
    """
    file, name = function_of(python, root)
    modules: dict[str, types.ModuleType] = {}
    try:
        source = file.read_bytes()
    except OSError as error:
        raise DataRefused(f"{python} cannot be read: {error.strerror}.") from None
    module = execute(file, source, modules, what=f"{python} cannot be imported")
    function = getattr(module, name, None)
    if not callable(function):
        raise AuthorError(f"{python}: the file defines no function '{name}'; add 'def {name}(...):'.")
    given = _arguments(function, tables, python)
    with isolated(file.parent, modules):
        try:
            frame = function(**given)
            if not isinstance(frame, pl.LazyFrame):
                hint = ", '.lazy()' makes one of it" if isinstance(frame, pl.DataFrame) else ""
                raise AuthorError(
                    f"{python} returned a {type(frame).__name__}; return a lazy frame of Polars{hint}."
                )
            return settle(frame, path, group=joined_group(tables))
        except ModelyardError:
            raise
        except (Exception, SystemExit, pl.exceptions.PanicException) as error:
            raise blame(f"{python} raised", error, file.parent) from None


def _arguments(
    function: Callable[..., Any], tables: Mapping[str, Table], python: str
) -> dict[str, pl.LazyFrame]:
    frames = {name: table.scan() for name, table in tables.items()}
    wanted = inspect.signature(function).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in wanted):
        return frames
    for one in wanted:
        if one.kind in (one.POSITIONAL_ONLY, one.VAR_POSITIONAL):
            raise AuthorError(f"{python}: '{one.name}' has no name to be given by; leave out '*' and '/'.")
        if one.name not in frames and one.default is one.empty:
            raise AuthorError(
                f"{python} asks for '{one.name}', which is no source; {nearest(one.name, list(frames))}"
            )
    asked = {name: frame for name, frame in frames.items() if name in {one.name for one in wanted}}
    if not asked:
        raise AuthorError(f"{python} takes no source; give it arguments: {', '.join(frames)}.")
    return asked
