"""Predictions whose outcome is known, as a file that the model's dataset reads: rows that a service brought."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import SettingsError, StoreDown
from modelyard.project import Project
from modelyard.records.schema import Column, Schema
from modelyard.storage.durable import make, sync

if TYPE_CHECKING:
    import polars as pl

_BEGIN, _END = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (1970, 9000))
_LARGEST = 2**53


def labelled(project: Project, model: str, *, environment: str, to: str) -> int:
    """Write all predictions of the model in that environment whose outcome is known into the file ``to``, as the
    dataset's newest version has its columns, and tell how many there are. The same rows again leave the file as it is.

    A key that requests do not hold is made of the request's id. Nothing is written where no outcome is known.
    """
    from modelyard import monitoring

    with project.yard.read() as facts:
        version = facts.datasets.latest(project.model(model).data)
    if version is None:
        return 0
    schema, place = version.schema, (project.tables, project.log_folder(environment))
    key = _key(schema, model)
    monitoring.collect(project.log_folder(environment), project.tables, environment=environment)
    project.tell(f"gathering what turned out true of {model} in {environment}")
    if not monitoring.told(*place, environment=environment, model=model).height:
        return 0
    rows = monitoring.labelled(
        *place,
        environment=environment,
        model=model,
        schema=schema,
        start=_BEGIN,
        end=_END,
        key=key.name if key else None,
    )
    if not rows.height:
        return 0
    _write(_whole(rows, schema, key), _path(project, model, to))
    return rows.height


def _key(schema: Schema, model: str) -> Column | None:
    """The key's one column; None where rows are told by their content."""
    if not schema.key:
        return None
    column = schema.column(schema.key[0])
    if len(schema.key) > 1 or column.kind not in ("string", "integer"):
        raise SettingsError(
            f"'triggers.{model}.labelled': a key of one text or integer column can be made for what a service was asked, and "
            f"the dataset's is {', '.join(schema.key)}; take 'labelled' out, and bring these rows by a source of your own."
        )
    return column


def _whole(rows: pl.DataFrame, schema: Schema, key: Column | None) -> pl.DataFrame:
    """All columns of the dataset, in its order; what no request holds is missing."""
    import polars as pl

    from modelyard.tables.kinds import DTYPES

    if key and key.kind == "integer":
        numbers = [_number(text) for text in rows[key.name]]
        rows = rows.with_columns(pl.Series(key.name, numbers, dtype=pl.Int64))
    absent = [c for c in schema.columns if c.name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, dtype=DTYPES[c.kind]).alias(c.name) for c in absent)
    return rows.select(c.name for c in schema.columns)


def _number(text: str) -> int:
    """Below zero, so that it is nobody's number; the chance that two are the same is nil (one in 2**53)."""
    return -1 - int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) % _LARGEST


def _path(project: Project, model: str, to: str) -> Path:
    path = (project.root / to).resolve()
    if path.suffix not in (".csv", ".parquet"):
        raise SettingsError(f"'triggers.{model}.labelled' is {to}; name a .csv or a .parquet file.")
    return path


def _write(frame: pl.DataFrame, path: Path) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        make(path.parent)
        if path.suffix == ".csv":
            frame.write_csv(beside, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
        else:
            frame.write_parquet(beside)
        if path.exists() and path.read_bytes() == beside.read_bytes():
            beside.unlink()
            return
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise StoreDown(
            f"{path} cannot be written: {error.strerror}; make room or give permission."
        ) from None
