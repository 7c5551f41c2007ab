"""The yard's database behind the ``Yard`` port."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc

from modelyard.errors import DatabaseDown, Misuse, SettingsError
from modelyard.ports import Facts, Yard
from modelyard.records.access import Person
from modelyard.storage import checkpoint, durable, upgrade
from modelyard.storage.facts import SqlFacts
from modelyard.storage.schema import events, operations
from modelyard.storage.sqlite import Sqlite
from modelyard.storage.transaction import Transaction

T = TypeVar("T")
WAIT = 20.0


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Guard(Protocol):
    """Who may read and write; what it raises keeps a transaction from happening."""

    def read(self, facts: Facts) -> None: ...
    def write(self, facts: Facts, actor: str) -> Person:
        """Who acts; asked before anything is done."""
        ...

    def settle(self, person: Person, events: Sequence[tuple[str, str, Mapping[str, str | int]]]) -> None:
        """Asked when all is done, with the action, object and payload of each event."""
        ...


def open_yard(
    url: str,
    root: Path,
    *,
    clock: Callable[[], dt.datetime] = utc_now,
    wait: float = WAIT,
    guard: Guard | None = None,
) -> Yard:
    """The yard at ``url`` as ``open_database`` opens it. Without a ``guard`` everybody may everything."""
    return SqlYard(open_database(url, root, wait=wait), clock=clock, guard=guard)


def open_database(url: str, root: Path, *, wait: float = WAIT) -> Database:
    """The database of the yard at ``url``, made or migrated if need be.

    ``url`` is ``sqlite:///FILE``, where a relative file starts at ``root`` and its folder is made, or
    ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE``. A writer waits at most ``wait`` seconds for the others.
    Raises ``SettingsError`` for any other URL, ``Misuse`` for a yard that a newer Modelyard wrote,
    ``DatabaseDown`` when the file or the server cannot be used.
    """
    parsed = _parsed(url)
    server = parsed.get_backend_name() == "postgresql"
    path = root / ".modelyard" / "yard" if server else _file(url, parsed, root)
    try:
        durable.make(path.parent)
        fresh = not server and (not path.exists() or path.stat().st_size == 0)
    except OSError as error:
        raise DatabaseDown(f"The yard's folder {path.parent} cannot be used: {error.strerror}.") from None
    if server:
        from modelyard.storage.postgres import Postgres  # spared where the yard is a file

        database: Database = Postgres(parsed, path.parent, wait=wait)
    else:
        database = Sqlite(path, wait=wait)
    SqlYard(database, clock=utc_now).ready(fresh=fresh)
    return database


class Database(Protocol):
    """Connections to one SQL database: ``Sqlite`` and ``Postgres``."""

    @property
    def name(self) -> str:
        """For messages, without a password."""
        ...

    @property
    def checkpoint(self) -> Path: ...
    @property
    def shared(self) -> bool:
        """Other machines may use it too."""
        ...

    def lock(self) -> AbstractContextManager[None]: ...
    def begin(self, *, write: bool) -> AbstractContextManager[sa.Connection]: ...
    def prepare(self) -> None: ...
    def integrity(self) -> list[str]: ...


class SqlYard:
    """Facts in one SQL database."""

    def __init__(
        self, database: Database, *, clock: Callable[[], dt.datetime], guard: Guard | None = None
    ) -> None:
        self.database = database
        self.checkpoint = database.checkpoint
        self._clock = clock
        self._guard = guard
        self._inside = threading.local()

    def ready(self, *, fresh: bool) -> None:
        """Make or migrate the tables unless they are this Modelyard's."""
        if not fresh:
            with self.database.begin(write=False) as connection:
                if upgrade.current(connection, self.database.name):
                    self._join(connection)
                    return
        with self.database.lock():
            self.database.prepare()
            with self.database.begin(write=True) as connection:
                if not upgrade.current(connection, self.database.name):
                    if not sa.inspect(connection).has_table(events.name):
                        self._begin_checkpoints()
                    upgrade.upgrade(connection)
                self._join(connection)

    @contextlib.contextmanager
    def read(self) -> Iterator[Facts]:
        with self.database.begin(write=False) as connection:
            self._same_revision(connection)
            transaction = Transaction(connection, actor=None, clock=self._clock)
            facts = SqlFacts(transaction)
            try:
                if self._guard:
                    self._guard.read(facts)
                yield facts
            finally:
                transaction.end()

    def once(self, operation: str, actor: str, work: Callable[[Facts], T], result: type[T]) -> T:
        if not operation or not actor:
            raise Misuse("A change of the yard needs an operation's id and an actor.")
        if getattr(self._inside, "once", False):
            raise Misuse(f"Operation {operation} was begun within another one; do one after the other.")
        self._inside.once = True
        try:
            with self.database.lock():
                return self._once(operation, actor, work, result)
        except UnicodeEncodeError as error:
            raise Misuse(f"Operation {operation} holds text that is not Unicode: {error.object!r}.") from None
        finally:
            self._inside.once = False

    def mark(self, actor: str, work: Callable[[Facts], T]) -> T:
        if getattr(self._inside, "once", False):
            raise Misuse("A mark was made within an operation; do one after the other.")
        self._inside.once = True
        try:
            with self.database.lock(), self.database.begin(write=True) as connection:
                self._same_revision(connection)
                return self._marked(connection, actor, work)
        finally:
            self._inside.once = False

    def _marked(self, connection: sa.Connection, actor: str, work: Callable[[Facts], T]) -> T:
        transaction = Transaction(connection, actor=actor, clock=self._clock)
        facts = SqlFacts(transaction)
        try:
            person = self._guard.write(facts, actor) if self._guard else None
            if person:
                transaction.actor = person.name
            value = work(facts)
            if facts.events.appended:
                raise Misuse("What is an event is an operation; do it through the yard's 'once'.")
        finally:
            transaction.end()
        return value

    def _once(self, operation: str, actor: str, work: Callable[[Facts], T], result: type[T]) -> T:
        outcome: tuple[T, checkpoint.Checkpoint | None] | None = None
        try:
            with self.database.begin(write=True) as connection:
                self._same_revision(connection)
                stored = connection.execute(_RESULT, {"operation": operation}).scalar()
                if stored is not None:
                    return _repeated(stored, operation, result)
                outcome = self._worked(connection, operation, actor, work, result)
        except DatabaseDown:
            if outcome is None or not self._recorded(operation):
                raise
        assert outcome is not None
        value, vouched = outcome
        # Committed, and still under the lock: checkpoints stand in the chain's order.
        if vouched:
            checkpoint.append(self.checkpoint, vouched)
        return value

    def _worked(
        self,
        connection: sa.Connection,
        operation: str,
        actor: str,
        work: Callable[[Facts], T],
        result: type[T],
    ) -> tuple[T, checkpoint.Checkpoint | None]:
        transaction = Transaction(connection, actor=actor, clock=self._clock)
        facts = SqlFacts(transaction)
        try:
            person = self._guard.write(facts, actor) if self._guard else None
            if person:
                transaction.actor = person.name
                facts.events.stamp = {"token": person.token} if person.token else {}
            encoded = msgspec.json.encode(work(facts))
            if person and self._guard:
                self._guard.settle(person, facts.events.appended)
            # What is stored is what is returned, so that a repeat cannot differ.
            value = msgspec.json.decode(encoded, type=result)
            vouched = facts.events.seal()
            done = self._clock().isoformat()
            transaction.insert(
                operations, id=operation, actor=transaction.actor, done=done, result=encoded.decode()
            )
        finally:
            transaction.end()
        return value, vouched

    def _recorded(self, operation: str) -> bool:
        """Whether a commit came through whose answer was lost: a verb that is not told so would be run again."""
        with contextlib.suppress(DatabaseDown), self.database.begin(write=False) as connection:
            return connection.execute(_RESULT, {"operation": operation}).first() is not None
        return False

    def _join(self, connection: sa.Connection) -> None:
        """A machine new to a yard that others share vouches for the chain from what it finds on."""
        if not self.database.shared or self.checkpoint.exists():
            return
        self._begin_checkpoints()
        found = SqlFacts(Transaction(connection, actor=None, clock=self._clock)).events.head()
        if found.size:
            checkpoint.append(self.checkpoint, found)

    def _begin_checkpoints(self) -> None:
        """Only a new yard in a file gets it: that it is missing later on must not heal by itself."""
        try:
            self.checkpoint.touch()
        except OSError as error:
            raise DatabaseDown(f"{self.checkpoint} cannot be written: {error.strerror}.") from None

    def _same_revision(self, connection: sa.Connection) -> None:
        """Reads as well, which is what begins the snapshot."""
        if not upgrade.current(connection, self.database.name):
            raise DatabaseDown(
                f"The yard's tables in {self.database.name} are gone or of an older Modelyard; "
                "run the command again."
            )


_RESULT = sa.select(operations.c.result).where(operations.c.id == sa.bindparam("operation"))


def _repeated(stored: str, operation: str, result: type[T]) -> T:
    try:
        return msgspec.json.decode(stored, type=result)
    except msgspec.ValidationError as error:
        raise Misuse(f"Operation {operation} was done before with another kind of result: {error}.") from None


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        raise SettingsError(f"'yard.database' is no database URL: {_shown(url)}; give {_FORMS}.") from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"):
        raise SettingsError(f"'yard.database' is of {parsed.drivername}; give {_FORMS}.")
    return parsed


_FORMS = "'sqlite:///FILE' or 'postgresql+psycopg://USER:PASSWORD@HOST/DATABASE'"


def _shown(url: str) -> str:
    """What may hold a password is not shown."""
    return "(not shown, since it may hold a password)" if "@" in url else repr(url)


def _file(url: str, parsed: sa.URL, root: Path) -> Path:
    if parsed.query or parsed.host:
        raise SettingsError(
            f"'yard.database': {_shown(url)} is more than 'sqlite:///FILE', which is all it may be."
        )
    if not parsed.database or parsed.database == ":memory:":
        raise SettingsError("'yard.database' names no file; give 'sqlite:///FILE'.")
    return root / parsed.database
