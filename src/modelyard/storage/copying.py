"""All facts of one database into another that has none, the audit chain as it stands."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from modelyard.errors import Misuse
from modelyard.storage import checkpoint
from modelyard.storage.database import SqlYard
from modelyard.storage.schema import metadata

_ROWS = 1000


def copy_facts(source: SqlYard, target: SqlYard) -> int:
    """How many rows were copied, in one transaction of the target while nobody writes to the source.

    Raises ``Misuse`` when the target holds facts, ``DatabaseDown`` when either fails: then the target holds nothing.
    """
    with source.database.lock(), source.database.begin(write=False) as given:
        with target.database.lock(), target.database.begin(write=True) as taken:
            _refuse(taken, target.database.name)
            count = sum(_copy(given, taken, table) for table in metadata.sorted_tables)
        for known in checkpoint.read(source.checkpoint) or ():
            checkpoint.append(target.checkpoint, known)
    return count


def refuse_facts(target: SqlYard) -> None:
    """Raise ``Misuse`` when it holds any."""
    with target.database.begin(write=False) as taken:
        _refuse(taken, target.database.name)


def _refuse(connection: sa.Connection, name: str) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise Misuse(
                f"The database {name} holds facts of a yard already ({table.name}); name an empty one, since two "
                "histories do not become one."
            )


def _copy(given: sa.Connection, taken: sa.Connection, table: sa.Table) -> int:
    count = 0
    for rows in _pieces(given, table):
        taken.execute(table.insert(), rows)
        count += len(rows)
    own = table.autoincrement_column
    if own is not None and count and taken.dialect.name == "postgresql":
        newest = sa.select(sa.func.max(own)).scalar_subquery()
        taken.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, own.name), newest)))
    return count


def _pieces(connection: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, object]]]:
    found = connection.execute(sa.select(table).order_by(*table.primary_key.columns))
    while rows := found.fetchmany(_ROWS):
        yield [dict(row._mapping) for row in rows]


def settle(file: Path) -> None:
    """Put into the file what SQLite keeps beside it, once nobody uses it."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
