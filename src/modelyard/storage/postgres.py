"""PostgreSQL as the yard's database: connections, the writers' lock, and what its errors mean.

One writer at a time, over all machines, by an advisory lock that a transaction holds: the audit chain has one head.
Writers on one machine also queue at a file, so that the checkpoints kept there stand in the chain's order.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy import exc

from modelyard.errors import DatabaseDown, ExtraMissing, Misuse, SettingsError
from modelyard.storage.filelock import held
from modelyard.storage.forked import leave_to_parent

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('modelyard'), hashtext(current_schema()))"
_LIMITS = (
    "SELECT set_config('lock_timeout', %(wait)s, true), "
    "set_config('idle_in_transaction_session_timeout', %(idle)s, true)"
)
_LOST = 60_000
"""Milliseconds after which the server gives up on a writer that went silent, and frees its lock."""
_REASONS = {
    "55P03": "is still locked by another writer after {wait:g} seconds; try again, or find it in pg_stat_activity",
    "53100": "cannot grow because the server's disk is full; make room and try again",
    "25006": "is read-only (a standby?); set 'yard.database' to the primary",
    "42501": "refuses this user; grant it the rights to create and write tables in its schema",
    "3F000": "has no schema to create tables in; create one and grant this user the right to it",
}


class Postgres:
    """The database on a server. Safe under threads, processes, machines and ``fork``."""

    shared: ClassVar[bool] = True

    def __init__(self, url: sa.URL, folder: Path, *, wait: float) -> None:
        if importlib.util.find_spec("psycopg") is None:
            raise ExtraMissing(
                "A yard on PostgreSQL needs psycopg; install it with: pip install 'modelyard[postgres]'."
            )
        if not url.host and not url.query.get("host"):
            raise SettingsError(
                "'yard.database' names no server; give 'postgresql+psycopg://USER:PASSWORD@HOST/DATABASE'."
            )
        bare = url._replace(password=None)
        self.name = str(bare)
        """Without the password."""
        mark = hashlib.sha256(self.name.encode()).hexdigest()[:12]
        self._beside = folder / f"yard-{mark}"
        self._wait = wait
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=2,
            max_overflow=-1,
            pool_pre_ping=True,
            connect_args={"connect_timeout": max(2, round(wait)), "application_name": "modelyard"},
        )
        leave_to_parent(weakref.ref(self._engine))
        weakref.finalize(self, self._engine.dispose)

    @property
    def checkpoint(self) -> Path:
        """This machine's file of what it saw of the audit chain."""
        return self._beside.with_suffix(".checkpoint")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One writer of this machine at a time; ``DatabaseDown`` when the others do not end within the wait."""
        lock = self._beside.with_suffix(".lock")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(held(lock, wait=self._wait))
            except TimeoutError:
                raise DatabaseDown(
                    f"Another process on this machine still writes to the yard {self.name} after {self._wait:g} "
                    f"seconds; wait for it or end it ('fuser {lock}' names it), then try again."
                ) from None
            except OSError as error:
                raise DatabaseDown(f"The lock {lock} cannot be taken: {error.strerror}.") from None
            yield

    @contextlib.contextmanager
    def begin(self, *, write: bool) -> Iterator[sa.Connection]:
        """A transaction, committed when the block ends well; a writer has the chain to itself."""
        level = "READ COMMITTED" if write else "REPEATABLE READ"
        with self._explained(), self._engine.connect() as connection:
            connection.execution_options(isolation_level=level, postgresql_readonly=not write)
            with connection.begin():
                if write:
                    limits = {"wait": str(round(self._wait * 1000)), "idle": str(_LOST)}
                    connection.exec_driver_sql(_LIMITS, limits)
                    connection.exec_driver_sql(_LOCK)
                yield connection

    def prepare(self) -> None:
        """Nothing: the server keeps its own settings."""

    def integrity(self) -> list[str]:
        """Whether the server answers; the rest is for its own tools."""
        try:
            with self.begin(write=False) as connection:
                connection.exec_driver_sql("SELECT 1")
        except DatabaseDown as error:
            return [str(error)]
        return []

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise Misuse(
                f"The yard {self.name} refuses this: {_first_line(error.orig)}; it is there already or refers to "
                "what is not."
            ) from error
        except exc.DataError as error:
            raise Misuse(f"The yard {self.name} cannot hold this: {_first_line(error.orig)}.") from error
        except exc.DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None) or ""
            if reason := _REASONS.get(state):
                raise DatabaseDown(
                    f"The yard's database {self.name} {reason.format(wait=self._wait)}."
                ) from error
            raise DatabaseDown(
                f"The yard's database {self.name} cannot be reached or went away: {_first_line(error.orig)}; "
                "see to the server and 'yard.database', then try again."
            ) from error
        except exc.SQLAlchemyError as error:
            raise DatabaseDown(f"The yard's database {self.name} failed: {_first_line(error)}.") from error


def _first_line(error: BaseException | None) -> str:
    return (str(error).splitlines() or ["no reason given"])[0].rstrip(".")
