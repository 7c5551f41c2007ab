"""``sql`` and ``where``: queries over lazy frames, in Polars' own SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from modelyard.data.definition import is_file, query_of
from modelyard.data.shaping.cleaning import nearest
from modelyard.data.shaping.reading import Table, joined_group
from modelyard.data.shaping.settled import Settled, reason, settle
from modelyard.errors import DataRefused, SettingsError

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_PLACE = re.compile(r" at Line: ([0-9]+), Column: ([0-9]+)")
_TABLE = re.compile(r"relation '([^']*)' was not found")
_COLUMN = re.compile(r"(?:unable to find column \"|no column named ')([^\"']*)[\"']")
_ELSEWHERE = re.compile(r"\bread_(?:csv|parquet|ipc|json|ndjson)\s*\(", re.IGNORECASE)


def run(sql: str, tables: Mapping[str, Table], root: Path, path: Path) -> Settled:
    """What the query gives, written to ``path``.

    Raises ``SettingsError`` for a query that cannot be understood, naming its line, and ``DataRefused`` for
    values that it fails on.
    """
    what = sql if is_file(sql) else "'sql'"
    text = query_of(sql, root)
    bare = _COMMENTS.sub(" ", text).lstrip(" \n\t(")
    if not re.match(r"(?:SELECT|WITH|FROM|VALUES)\b", bare, re.IGNORECASE):
        raise SettingsError(f"{what} is no query; begin it with SELECT or WITH.")
    if found := _ELSEWHERE.search(bare):
        raise SettingsError(
            f"{what} reads a file by itself ('{found[0]}...)'), which no version would know of; "
            "name the file in 'sources'."
        )
    context = pl.SQLContext({name: table.scan() for name, table in tables.items()})
    with explained(what, tables):
        frame = context.execute(text)
        schema = frame.collect_schema()
    _refuse_twice(schema.names(), what)
    with explained(what, tables, rows=True):
        return settle(frame, path, group=joined_group(tables))


def chosen(frame: pl.LazyFrame, where: str) -> pl.LazyFrame:
    """The rows for which the expression is true; one that is null is not."""
    names = tuple(frame.collect_schema().names())
    with explained("'where'", {"": Table((), names, 0)}):
        found = frame.filter(pl.sql_expr(where))
        found.collect_schema()
    return found


@contextmanager
def explained(what: str, tables: Mapping[str, Table], *, rows: bool = False) -> Iterator[None]:
    """What Polars raises inside as a refusal that names the setting: of the query as it is understood, or
    with ``rows`` of the rows as they pass."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        text = reason(error)
        if match := _TABLE.search(text):
            raise SettingsError(
                f"{what}: there is no table '{match[1]}'; {nearest(match[1], list(tables))}"
            ) from None
        if match := _COLUMN.search(text):
            raise _no_column(what, match[1], tables) from None
        if rows:
            raise DataRefused(f"{what} fails on the rows: {text}; mend the query or the source.") from None
        place = _PLACE.search(text)
        at = f", line {place[1]}, column {place[2]}" if place else ""
        text = _PLACE.sub("", text).removeprefix("sql parser error: ")
        raise SettingsError(f"{what}{at}: {text}; mend the query.") from None
    except pl.exceptions.PanicException as error:
        raise SettingsError(f"{what} cannot be worked out: {reason(error)}; write it otherwise.") from None


def _no_column(what: str, name: str, tables: Mapping[str, Table]) -> SettingsError:
    names = list(dict.fromkeys(column for table in tables.values() for column in table.columns))
    return SettingsError(f"{what}: there is no column '{name}'; {nearest(name, names)}")


def _refuse_twice(names: list[str], what: str) -> None:
    """Polars tells two columns of one name apart as ``name:table``, which nobody asked for."""
    for name in names:
        plain = name.rpartition(":")[0]
        if plain and plain in names:
            raise SettingsError(
                f"{what} gives two columns '{plain}' (the other as '{name}'); name the columns wanted, "
                "and one of the two with AS."
            )
