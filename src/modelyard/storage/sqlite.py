"""SQLite as the yard's database: connections, locks, and what its errors mean.

Writers take a file lock before ``BEGIN IMMEDIATE``: SQLite's own waiting is unfair, and under
eight writers one of them got a single transaction in where the file lock serves all.
"""

from __future__ import annotations

import contextlib
import sqlite3
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import exc

from modelyard.errors import DatabaseDown, Misuse
from modelyard.storage.filelock import held
from modelyard.storage.forked import leave_to_parent

_REASONS = {
    "SQLITE_BUSY": "is locked by another program; wait for it or end it, then try again",
    "SQLITE_LOCKED": "is locked by another program; wait for it or end it, then try again",
    "SQLITE_FULL": "cannot grow because the disk is full; make room and try again",
    "SQLITE_READONLY": "is read-only; give this user the right to write the file and its folder",
    "SQLITE_PERM": "is read-only; give this user the right to write the file and its folder",
    "SQLITE_CANTOPEN": "cannot be opened; give this user the right to write the file and its folder",
    "SQLITE_NOTADB": "is not an SQLite database; restore it from a copy or set 'yard.database' to another file",
    "SQLITE_CORRUPT": "is damaged; restore it from a copy",
    "SQLITE_IOERR": "cannot be read or written because the disk fails or is full; see to the disk",
}


class Sqlite:
    """The database in one file. Safe under threads, processes and ``fork``."""

    shared: ClassVar[bool] = False

    def __init__(self, path: Path, *, wait: float) -> None:
        self.path = path
        self._wait = wait
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            connect_args={"timeout": wait},
            pool_size=2,
            max_overflow=-1,
        )
        sa.event.listen(self._engine, "connect", _on_connect)
        sa.event.listen(self._engine, "begin", _on_begin)
        leave_to_parent(weakref.ref(self._engine))
        # The last connection to close folds the log into the file: at rest the yard is one file.
        weakref.finalize(self, self._engine.dispose)

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def checkpoint(self) -> Path:
        """The file of what was seen of the audit chain."""
        return self.path.with_name(self.path.name + ".checkpoint")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One writer at a time; ``DatabaseDown`` when the others do not end within the wait."""
        lock = self.path.with_name(self.path.name + ".lock")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(held(lock, wait=self._wait))
            except TimeoutError:
                raise DatabaseDown(
                    f"The yard's database {self.path} is still locked by another process after "
                    f"{self._wait:g} seconds; wait for it or end it ('fuser {lock}' names it), then try again."
                ) from None
            except OSError as error:
                raise DatabaseDown(f"The lock {lock} cannot be taken: {error.strerror}.") from None
            yield

    @contextlib.contextmanager
    def begin(self, *, write: bool) -> Iterator[sa.Connection]:
        """A transaction, committed when the block ends well; a writer holds ``lock`` around it."""
        with self._explained(), self._engine.connect() as connection:
            connection.execution_options(modelyard_write=write)
            with connection.begin():
                yield connection

    def prepare(self) -> None:
        """Set what the file itself keeps; the caller holds ``lock``."""
        with self._explained(), contextlib.closing(sqlite3.connect(self.path, self._wait)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise DatabaseDown(
                f"The disk under the yard's database {self.path} cannot share memory between processes (SQLite's "
                "WAL); set 'yard.database' to a file on a local disk."
            )

    def integrity(self) -> list[str]:
        """What SQLite finds wrong with the file; empty is health."""
        try:
            with self.begin(write=False) as connection:
                found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
                orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        except DatabaseDown as error:
            return [str(error)]
        found += [
            f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there" for row in orphans
        ]
        return [line for line in found if line != "ok"]

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise Misuse(
                f"The yard {self.path} refuses this: {error.orig}; it is there already or refers to what is not."
            ) from error
        except exc.DBAPIError as error:
            raise self._down(error.orig) from error
        except exc.SQLAlchemyError as error:
            raise self._down(error) from error
        except sqlite3.Error as error:
            raise self._down(error) from error

    def _down(self, error: BaseException | None) -> DatabaseDown:
        name = getattr(error, "sqlite_errorname", "")
        for prefix, reason in _REASONS.items():
            if name.startswith(prefix):
                return DatabaseDown(f"The yard's database {self.path} {reason}.")
        return DatabaseDown(f"The yard's database {self.path} failed: {error}; run 'modelyard doctor'.")


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in ("foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("modelyard_write", False)
    if connection.info.get("modelyard_write") != write:
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if write else 'ON'}")
        connection.info["modelyard_write"] = write
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN DEFERRED")
