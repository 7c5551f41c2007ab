"""Where a table's rows go: a file, a Delta table, a table of a database, an object in a store.

Each takes all rows of the given Parquet parts as one: a reader sees what was there before or the whole.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelyard.data.sources.extra import needs
from modelyard.data.sources.listing import scheme_of
from modelyard.data.sources.objects import put
from modelyard.data.sources.secret import Filled, fill
from modelyard.errors import DataRefused, Misuse, SourceDown, StoreDown
from modelyard.settings.addresses import public

Form = Literal["csv", "parquet", "jsonl", "arrow", "delta", "database", "object"]

_ENDINGS: dict[str, Form] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".delta": "delta",
}
_OBJECTS = ("s3", "gs", "az")
_DATABASES = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}
_ROWS = 1000
"""Inserted by one statement."""
_DONE = "modelyard_scored"
ROW = "__row__"
"""A row's number in its part, from 0; it goes out as ``row``, the number in the whole, from 1."""

Parts = Sequence[tuple[Path, int]]
"""Each part's file, and how many rows come before it."""


class Outlet(msgspec.Struct, frozen=True, kw_only=True):
    """``where`` as it was given: a path, or an address (``${NAME}`` as in sources)."""

    where: str
    form: Form
    table: str = ""
    append: bool = False
    """Delta and databases: beside the rows that are there, not instead of them."""

    @property
    def shown(self) -> str:
        return f"{public(self.where)}, table {self.table}" if self.table else public(self.where)


def outlet(where: str, *, table: str = "", append: bool = False) -> Outlet:
    """What ``where`` means, told from its scheme or ending; raises ``Misuse``."""
    scheme = scheme_of(where)
    form: Form | None
    if scheme in _DATABASES:
        form = "database"
        if not table:
            raise Misuse(f"Name the table of {public(where)} with --table.")
    elif scheme in _OBJECTS:
        form = "object"
        if _ENDINGS.get(Path(where).suffix.lower()) in (None, "delta"):
            raise Misuse(f"{public(where)} must end in .csv, .parquet, .jsonl or .arrow.")
    elif scheme:
        known = ", ".join(f"{s}://" for s in ("postgresql", "sqlite", *_OBJECTS))
        raise Misuse(f"Nothing can be written to {public(where)}; name a file, or one of {known}.")
    else:
        path = Path(where)
        form = "delta" if (path / "_delta_log").is_dir() else _ENDINGS.get(path.suffix.lower())
        if form is None:
            raise Misuse(f"{where} must end in .csv, .parquet, .jsonl, .arrow or .delta (a folder).")
    if table and form != "database":
        raise Misuse("--table is for databases; leave it out.")
    if append and form not in ("delta", "database"):
        raise Misuse("--append is for Delta tables and databases; a file is written whole.")
    return Outlet(where=where, form=form, table=table, append=append)


def occupied(to: Outlet, root: Path) -> bool:
    """Whether a file is there already, or a Delta table. Others are asked only when they are written."""
    return to.form not in ("database", "object") and (root / to.where).exists()


def write(to: Outlet, parts: Parts, *, job: str, root: Path) -> None:
    """Take the rows of all parts, in order, in one step; again for the same ``job`` it changes nothing.

    Raises ``StoreDown`` for a disk and ``SourceDown`` or ``DataRefused`` for a database or store that refuses.
    """
    schema = _schema(parts)
    if to.form == "database":
        _to_database(to, parts, schema, job, root)
    elif to.form == "delta":
        _to_delta(root / to.where, parts, schema, job, append=to.append)
    elif to.form == "object":
        draft = parts[0][0].with_name(f"object{Path(to.where).suffix.lower()}")
        try:
            _WRITERS[_ENDINGS[draft.suffix]](draft, parts, schema)
            put(to.where, draft, root)
        finally:
            draft.unlink(missing_ok=True)
    else:
        _to_file(root / to.where, parts, schema, _WRITERS[to.form])


def _schema(parts: Parts) -> pa.Schema:
    """The columns of all parts; one that is empty in some of them has the type of the others."""
    schemas = [pq.read_schema(part) for part, _ in parts]
    unified = pa.unify_schemas(schemas, promote_options="permissive")
    at = unified.get_field_index(ROW)
    return unified if at < 0 else unified.set(at, pa.field("row", pa.int64()))


def _tables(parts: Parts, schema: pa.Schema) -> Iterator[pa.Table]:
    for part, before in parts:
        table = pq.read_table(part)
        if not table.num_rows:
            continue
        at = table.schema.get_field_index(ROW)
        if at >= 0:
            table = table.set_column(at, "row", pc.add(table.column(at).cast(pa.int64()), before + 1))
        yield table.cast(schema)


def _to_file(path: Path, parts: Parts, schema: pa.Schema, writer: Callable[[Path, Parts, Any], None]) -> None:
    draft = path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex[:8]}")
    try:
        writer(draft, parts, schema)
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        draft.unlink(missing_ok=True)


def _csv(path: Path, parts: Parts, schema: pa.Schema) -> None:
    with path.open("wb") as stream:
        stream.write(_frame(schema.empty_table()).write_csv(include_header=True).encode())
        for table in _tables(parts, schema):
            _frame(table).write_csv(stream, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")


def _jsonl(path: Path, parts: Parts, schema: pa.Schema) -> None:
    with path.open("wb") as stream:
        for table in _tables(parts, schema):
            _frame(table).write_ndjson(stream)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _parquet(path: Path, parts: Parts, schema: pa.Schema) -> None:
    with pq.ParquetWriter(path, schema) as writer:
        for table in _tables(parts, schema):
            writer.write_table(table)


def _arrow(path: Path, parts: Parts, schema: pa.Schema) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for table in _tables(parts, schema):
            writer.write_table(table)


_WRITERS: dict[str, Callable[[Path, Parts, Any], None]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "arrow": _arrow,
}


def _to_delta(path: Path, parts: Parts, schema: pa.Schema, job: str, *, append: bool) -> None:
    """One commit; that it holds this job's rows stands in the same commit."""
    deltalake: Any = needs("deltalake", "yard", "Delta tables")
    from deltalake.exceptions import DeltaError

    try:
        with suppress(deltalake.exceptions.TableNotFoundError):
            last = deltalake.DeltaTable(str(path)).history(1)
            if last and last[0].get("job") == job:
                return
        batches = (batch for table in _tables(parts, schema) for batch in table.to_batches())
        deltalake.write_deltalake(
            str(path),
            pa.RecordBatchReader.from_batches(schema, batches),
            mode="append" if append else "overwrite",
            schema_mode=None if append else "overwrite",
            commit_properties=deltalake.CommitProperties(custom_metadata={"job": job}),
        )
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise StoreDown(f"The Delta table {path} cannot be written: {_line(error)}.") from None


def _to_database(to: Outlet, parts: Parts, schema: pa.Schema, job: str, root: Path) -> None:
    """One transaction; a small table beside it says which jobs were written."""
    sa: Any = needs("sqlalchemy", "yard", "databases")
    filled: Filled = fill(to.where, root)
    scheme, _, rest = filled.text.partition("://")
    if scheme == "sqlite":
        rest = f"/{root / rest.removeprefix('/')}" if not rest.startswith("//") else rest
    engine = sa.create_engine(f"{_DATABASES[scheme]}://{rest}")
    meta = sa.MetaData()
    kinds = [sa.Column(f.name, _sql(sa, f.type)) for f in schema]
    target = sa.Table(to.table, meta, *kinds)
    done = sa.Table(_DONE, meta, sa.Column("job", sa.String(64), primary_key=True))
    try:
        with engine.begin() as connection:
            done.create(connection, checkfirst=True)
            if connection.execute(sa.select(done.c.job).where(done.c.job == job)).first():
                return
            if not to.append:
                target.drop(connection, checkfirst=True)
            target.create(connection, checkfirst=True)
            connection.execute(done.insert().values(job=job))
            for table in _tables(parts, schema):
                for batch in table.to_batches(_ROWS):
                    connection.execute(target.insert(), batch.to_pylist())
    except sa.exc.OperationalError as error:
        raise SourceDown(f"{to.shown} cannot be written: {filled.hide(error.orig)}") from None
    except sa.exc.SQLAlchemyError as error:
        raise DataRefused(
            f"{to.shown} refuses the rows: {filled.hide(getattr(error, 'orig', error))}"
        ) from None
    finally:
        engine.dispose()


def _sql(sa: Any, kind: pa.DataType) -> Any:
    if pa.types.is_boolean(kind):
        return sa.Boolean()
    if pa.types.is_integer(kind):
        return sa.BigInteger()
    if pa.types.is_floating(kind):
        return sa.Double()
    if pa.types.is_date(kind):
        return sa.Date()
    return sa.DateTime(timezone=True) if pa.types.is_timestamp(kind) else sa.Text()


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or ["damaged"])[0][:200].rstrip(".")
