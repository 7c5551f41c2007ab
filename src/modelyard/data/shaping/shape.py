"""The one order in which a transform is done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from modelyard.data.shaping import function, query
from modelyard.data.shaping.asof import join_all
from modelyard.data.shaping.cleaning import cleanings, nearest
from modelyard.data.shaping.duplicates import deduplicate
from modelyard.data.shaping.reading import Table, read
from modelyard.data.shaping.settled import Settled, group_rows, refuse_types, settle
from modelyard.data.sources.staged import Staged
from modelyard.errors import DataRefused, SettingsError
from modelyard.settings import DataSettings, TransformSettings

ORIGIN = "the transform's output"
_SECONDS = 2.0


def shape(
    staged: Mapping[str, tuple[Staged, ...]],
    settings: DataSettings,
    root: Path,
    folder: Path,
    *,
    tell: Callable[[str], None],
    block: int,
) -> tuple[Staged, ...]:
    """What the transform makes of the staged sources, as one file below ``folder``.

    Every step reads and writes files in the memory of some pieces: sources are read, cleaned (``parse``,
    ``cast``, ``rename``) and typed, made one table (``sql``, ``python`` or ``base``), of which rows are chosen
    (``where``, ``deduplicate``), features joined (``asof``) and columns dropped. Rows that are refused later are
    counted in that output. Without a transform the staged files are given back.
    """
    transform = settings.transform
    if transform is None or not staged:
        return staged.get("source", ())
    work = folder / "work"
    cleaning = cleanings(transform, list(staged))
    tables: dict[str, Table] = {}
    for name, files in staged.items():
        size = sum(one.path.stat().st_size for one in files)
        progress = _progress(tell, name, size)
        tables[name] = read(name, files, cleaning[name], work / name, tell=progress, block=block)
    tell("transforming")
    settled = _combined(transform, tables, root, work)
    for name in set(tables) - {one.source for one in transform.asof}:
        shutil.rmtree(work / name)
    settled = _narrowed(transform, settings, settled, work)
    if transform.asof:
        tell("joining")
        settled = join_all(settled, transform.asof, tables, work)
    names = settled.scan().collect_schema().names()
    for name in transform.drop:
        if name not in names:
            raise SettingsError(f"'drop': there is no column '{name}'; {nearest(name, names)}")
    if transform.drop:
        rest = settled.scan().drop(transform.drop)
        settled = settle(rest, work / "dropped.parquet", group=group_rows(settled.size, settled.rows))
    output = settled.path.rename(folder / "output.parquet")
    shutil.rmtree(work, ignore_errors=True)
    return (Staged(path=output, form="parquet", origin=ORIGIN),)


def _combined(transform: TransformSettings, tables: Mapping[str, Table], root: Path, folder: Path) -> Settled:
    path = folder / "combined.parquet"
    if transform.sql is not None:
        settled = query.run(transform.sql, tables, root, path)
    elif transform.python is not None:
        settled = function.run(transform.python, tables, root, path)
    else:
        table = tables[transform.base or "source"]
        settled = settle(table.scan(), path, group=group_rows(table.size, table.rows))
    refuse_types(settled.scan().collect_schema(), transform.drop)
    if not settled.rows:
        raise DataRefused(f"'{'sql' if transform.sql else 'python'}' gives no rows; mend it or the sources.")
    return settled


def _narrowed(
    transform: TransformSettings, settings: DataSettings, settled: Settled, folder: Path
) -> Settled:
    if transform.where is not None:
        count = settled.rows
        frame = query.chosen(settled.scan(), transform.where)
        names = {"": Table((), tuple(settled.scan().collect_schema().names()), 0)}
        with query.explained("'where'", names, rows=True):
            group = group_rows(settled.size, settled.rows)
            settled = settle(frame, folder / "chosen.parquet", group=group)
        (folder / "combined.parquet").unlink()
        if not settled.rows:
            raise DataRefused(f"'where' ({transform.where}) leaves none of {count} rows; change it.")
    if transform.deduplicate is not None:
        key = (settings.key,) if isinstance(settings.key, str) else settings.key
        before, ordered = settled, transform.sql is None and transform.python is None
        settled = deduplicate(before, key, transform.deduplicate, folder / "same", ordered=ordered)
        before.path.unlink()
    return settled


def _progress(tell: Callable[[str], None], name: str, size: int) -> Callable[[int, int], None]:
    """Tell every two seconds, so that short work stays silent."""
    told = time.monotonic()

    def progress(rows: int, done: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _SECONDS:
            told = time.monotonic()
            tell(f"read {rows:,} rows of {name}, {done / 1e6:,.0f} of {size / 1e6:,.0f} MB")

    return progress
