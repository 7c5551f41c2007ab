"""What was logged in a span of time, from the tables and from the segments that are not in them yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

from modelyard.errors import DataRefused
from modelyard.monitoring.pieces import EVER, Cut, Piece, batches, pieces
from modelyard.monitoring.sheet import AT, COLUMNS, fresh, home_of, opened, outage, rows, shape_of
from modelyard.predictions import LoggedFrame, read


def window(
    tables: Path,
    folder: Path,
    *,
    environment: str,
    model: str,
    start: dt.datetime,
    end: dt.datetime,
    version: int | None = None,
) -> pl.DataFrame:
    """All predictions logged from ``start`` up to, not including, ``end``, in the order of time.

    One row each: ``COLUMNS``, ``prediction``, ``probability`` and ``features``, a struct of the features
    in the kinds' storage types (a struct, since a feature may be called ``version``; ``features`` gives
    them as a frame). What is not collected yet is included; nothing comes twice. An empty window has
    ``COLUMNS`` only. ``version`` leaves out what others answered. Raises ``DataRefused`` when versions
    in it differ in a feature's kind, ``StoreDown`` when log or tables cannot be read.
    """
    cut = Cut(start, end, version)
    parts = []
    with outage(f"The predictions in {folder} and {home_of(tables, environment, model)} cannot be read"):
        for table, tail in both(tables, folder, environment, model, cut):
            if table is not None:
                parts.append(pl.scan_delta(table).filter(cut.wanted).collect())
            if tail:
                parts.append(rows(tail))
    return union([part for part in parts if part.height])


def moments(
    tables: Path, folder: Path, *, environment: str, model: str, start: dt.datetime, end: dt.datetime
) -> pl.Series:
    """When each prediction of that time was made, ascending. Raises ``StoreDown``."""
    found = _column("at", AT, tables, folder, environment, model, Cut(start, end, None))
    return found.sort()


def versions(
    tables: Path, folder: Path, *, environment: str, model: str, start: dt.datetime, end: dt.datetime
) -> list[int]:
    """Which registered versions answered in that time, ascending. Raises ``StoreDown``."""
    cut, found = Cut(start, end, None), set[int]()
    with outage(f"The predictions in {folder} and {home_of(tables, environment, model)} cannot be read"):
        for table, tail in both(tables, folder, environment, model, cut):
            found |= {each.model.version for each in tail}
            for piece in () if table is None else pieces(table, cut):
                found |= _answering(piece, cut)
    return sorted(version for version in found if version > 0)


def _answering(piece: Piece, cut: Cut) -> set[int]:
    """As the table's log tells it, where that is enough."""
    if piece.within(cut) and piece.versions and piece.versions[0] == piece.versions[1]:
        return {piece.versions[0]}
    parts = batches(piece, cut.wanted, ["at", "version"])
    return {version for part in parts for version in part["version"].unique().to_list()}


def _column(
    name: str, dtype: pl.DataType, tables: Path, folder: Path, environment: str, model: str, cut: Cut
) -> pl.Series:
    parts = [pl.Series(name, [], dtype=dtype)]
    with outage(f"The predictions in {folder} and {home_of(tables, environment, model)} cannot be read"):
        for table, tail in both(tables, folder, environment, model, cut):
            if table is not None:
                parts.append(pl.scan_delta(table).filter(cut.wanted).select(name).collect()[name])
            if tail:
                parts.append(rows(tail)[name])
    return pl.concat(parts)


def predictions(
    tables: Path,
    folder: Path,
    *,
    environment: str,
    model: str,
    names: Sequence[str] = (),
    ids: tuple[str, pl.Series] | None = None,
) -> pl.DataFrame:
    """``request_id``, ``row``, ``at`` and ``key`` of all predictions of the model, whichever version answered.

    ``ids`` are a column, ``request_id`` or ``client_id``, and the values wanted of it: the key is that column. Else it
    is the JSON of the features ``names``, and what has not all of them is left out. Raises ``StoreDown``.
    """
    parts = [pl.DataFrame(schema={"request_id": pl.String, "row": pl.Int64, "at": AT, "key": pl.String})]
    with outage(f"The predictions in {folder} and {home_of(tables, environment, model)} cannot be read"):
        for table, tail in both(tables, folder, environment, model, EVER):
            lazy = [] if table is None else [pl.scan_delta(table)]
            lazy += [rows(tail).lazy()] if tail else []
            parts += [part.collect() for each in lazy for part in _keyed(each, names, ids)]
        return pl.concat(parts)


def answered(
    tables: Path,
    folder: Path,
    *,
    environment: str,
    model: str,
    version: int,
    known: pl.DataFrame | None = None,
    names: Sequence[str] = (),
) -> pl.DataFrame:
    """What a version answered, where something is known of it if ``known`` is given, in the order of time.

    ``request_id``, ``row``, ``at``, ``prediction``, ``probability``, of a regression of quantiles ``quantiles``, the other
    columns of ``known`` (which has the first two), and ``features``, a struct of those ``names`` that there are. Raises
    ``StoreDown``.
    """
    parts = []
    with outage(f"The predictions in {folder} and {home_of(tables, environment, model)} cannot be read"):
        for table, tail in both(tables, folder, environment, model, Cut(EVER.start, EVER.end, version)):
            lazy = [] if table is None else [pl.scan_delta(table).filter(pl.col("version") == version)]
            for part in [*lazy, *([rows(tail).lazy()] if tail else [])]:
                schema = part.collect_schema()
                held = schema["features"]
                assert isinstance(held, pl.Struct)
                there = [field.name for field in held.fields if field.name in names]
                columns = ["at", "prediction", "probability", *(c for c in ("quantiles",) if c in schema)]
                picked = [pl.col("features").struct.field(name) for name in there]
                struct = [pl.struct(picked).alias("features")] if there else []
                asked = part.select("request_id", "row", *columns, *struct)
                if known is not None:
                    asked = asked.join(known.lazy(), on=["request_id", "row"], how="inner")
                parts.append(asked.collect())
    found = [part for part in parts if part.height]
    return pl.concat(found, how="diagonal").sort("at", "request_id", "row") if found else pl.DataFrame()


def _keyed(
    part: pl.LazyFrame, names: Sequence[str], ids: tuple[str, pl.Series] | None
) -> Iterator[pl.LazyFrame]:
    columns = ["request_id", "row", "at"]
    if ids is not None:
        name, wanted = ids
        yield part.filter(pl.col(name).is_in(wanted.implode())).select(*columns, key=pl.col(name))
        return
    features_ = part.collect_schema()["features"]
    assert isinstance(features_, pl.Struct)
    if set(names) <= {field.name for field in features_.fields}:
        chosen = [pl.col("features").struct.field(name) for name in names]
        yield part.select(*columns, key=pl.struct(chosen).struct.json_encode())


def _holds(cut: Cut, found: LoggedFrame) -> bool:
    within = _microseconds(cut.start) <= round(found.at * 1e6) < _microseconds(cut.end)
    return within and (cut.version is None or found.model.version == cut.version)


def both(
    tables: Path, folder: Path, environment: str, model: str, cut: Cut
) -> Iterator[tuple[DeltaTable | None, list[LoggedFrame]]]:
    """Each shape's table and what of the log is not in it yet.

    The log is read before the tables: what leaves it in between is in the tables then.
    """
    tail: dict[str, list[LoggedFrame]] = {}
    for found in read(folder) if folder.is_dir() else ():
        if found.model.model == model and _holds(cut, found):
            tail.setdefault(shape_of(found), []).append(found)
    home = home_of(tables, environment, model)
    shapes = {path.name for path in home.iterdir()} if home.is_dir() else set()
    for shape in sorted(shapes | tail.keys()):
        table = opened(home / shape)
        yield table, fresh(tail.get(shape, []), table)


def features(rows: pl.DataFrame) -> pl.DataFrame:
    """A window's features under their own names; without columns when the window is empty."""
    return rows["features"].struct.unnest() if "features" in rows.columns else pl.DataFrame()


def union(parts: list[pl.DataFrame], by: Sequence[str] = ("at", "writer", "sequence")) -> pl.DataFrame:
    """Rows of one shape or of several as one table, in that order. Raises ``DataRefused`` where kinds differ."""
    if not parts:
        return pl.DataFrame(schema=COLUMNS)
    try:
        together = pl.concat([features(part) for part in parts], how="diagonal")
        answers = pl.concat([part.drop("features") for part in parts], how="diagonal")
    except pl.exceptions.PolarsError as error:
        raise DataRefused(
            f"The window spans versions whose columns differ in kind ({error}); ask for one version."
        ) from None
    return answers.with_columns(together.to_struct("features")).sort(by)


def _microseconds(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
