"""One transaction of the yard, as the nouns' tables use it."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from modelyard.errors import DatabaseDown, Misuse
from modelyard.storage import schema

T = TypeVar("T")
_OVER = "These facts belong to a transaction that has ended; open another one."


class Transaction:
    """A connection within its transaction; without an ``actor`` it only reads."""

    def __init__(
        self, connection: sa.Connection, *, actor: str | None, clock: Callable[[], dt.datetime]
    ) -> None:
        self._connection = connection
        self._over = False
        self._claimed: set[tuple[str, str]] = set()
        self.actor = actor
        self.clock = clock

    def end(self) -> None:
        """From here on every use is refused."""
        self._over = True

    def query(self, statement: sa.Select[Any]) -> sa.CursorResult[Any]:
        if self._over:
            raise Misuse(_OVER)
        return self._connection.execute(statement)

    def write(self, statement: sa.Insert | sa.Update | sa.Delete) -> int:
        """Execute and return how many rows it touched."""
        self.writable()
        return self._connection.execute(statement).rowcount

    def writable(self) -> str:
        """The actor; ``Misuse`` when this transaction only reads or has ended."""
        if self._over:
            raise Misuse(_OVER)
        if self.actor is None:
            raise Misuse("These facts were opened to be read; write through the yard's 'once'.")
        return self.actor

    def insert(self, table: sa.Table, /, **values: object) -> None:
        self.writable()
        self._connection.execute(_insert(table), values)

    def insert_all(self, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self.writable()
            self._connection.execute(_insert(table), rows)

    def put(self, table: sa.Table, key: Mapping[str, object], /, **values: object) -> None:
        """Replace the row of that key, or insert it."""
        self.writable()
        given = {f"key_{name}": value for name, value in key.items()}
        if not self._connection.execute(_update(table, tuple(key), tuple(values)), given | values).rowcount:
            self.insert(table, **key, **values)

    def first(self, statement: sa.Select[Any], kind: type[T]) -> T | None:
        """The record in the first row's first column."""
        try:
            text = self.query(statement.limit(1)).scalar()
        except OverflowError:
            return None  # asked for a number that no column can hold
        return None if text is None else _decoded(text, kind)

    def find(self, statement: sa.Select[Any], kind: type[T], /, **given: object) -> T | None:
        """The record in the first row's first column, by a statement that was made once."""
        if self._over:
            raise Misuse(_OVER)
        try:
            text = self._connection.execute(statement, given).scalar()
        except OverflowError:
            return None  # asked for a number that no column can hold
        return None if text is None else _decoded(text, kind)

    def all(self, statement: sa.Select[Any], kind: type[T]) -> list[T]:
        """The records in the rows' first column."""
        return [_decoded(text, kind) for text in self.query(statement).scalars()]

    def next(self, counter: str) -> int:
        """One more than ever before."""
        self.writable()
        value: int | None = self._connection.execute(_NEXT, {"counter": counter}).scalar()
        if value is None:
            self.insert(schema.counters, name=counter, value=1)
        return value or 1

    def claim(self, name: str, noun: str) -> None:
        """Models and datasets share one namespace: ``Misuse`` when the name is another noun's."""
        if (name, noun) in self._claimed:
            return
        found = self._connection.execute(_NOUN, {"name": name}).scalar()
        if found is None:
            self.insert(schema.names, name=name, noun=noun)
        elif found != noun:
            raise Misuse(f"'{name}' is a {found} in this yard and cannot name a {noun}; choose another name.")
        self._claimed.add((name, noun))


# Statements are made once: making one anew takes three times as long as asking.


@functools.cache
def _insert(table: sa.Table) -> sa.Insert:
    return table.insert()


@functools.cache
def _update(table: sa.Table, key: tuple[str, ...], names: tuple[str, ...]) -> sa.Update:
    where = [table.c[name] == sa.bindparam(f"key_{name}") for name in key]
    return table.update().where(*where).values({name: sa.bindparam(name) for name in names})


_NEXT = (
    schema.counters.update()
    .where(schema.counters.c.name == sa.bindparam("counter"))
    .values(value=schema.counters.c.value + 1)
    .returning(schema.counters.c.value)
)
_NOUN = sa.select(schema.names.c.noun).where(schema.names.c.name == sa.bindparam("name"))


def encoded(record: msgspec.Struct) -> str:
    """The record as the ``record`` columns hold it."""
    return msgspec.json.encode(record).decode()


def microseconds(time: dt.datetime) -> int:
    """Since the epoch."""
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _decoded(text: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, TypeError) as error:
        raise DatabaseDown(
            f"A stored {kind.__name__} of the yard cannot be read ({error}); "
            "restore the database from a copy, or use the Modelyard that wrote it."
        ) from error
