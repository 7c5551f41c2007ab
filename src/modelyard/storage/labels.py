"""What people say of versions, in the database; what is searched stands in columns and rows of its own."""

from __future__ import annotations

import builtins

import sqlalchemy as sa

from modelyard.records.registry import Marks
from modelyard.storage.schema import labels, tags
from modelyard.storage.transaction import Transaction, encoded


class SqlLabels:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, marks: Marks) -> None:
        at = {"model": marks.model, "version": marks.version}
        self._transaction.put(
            labels, at, note=marks.note, deprecated=int(marks.deprecated is not None), record=encoded(marks)
        )
        self._transaction.write(
            tags.delete().where(tags.c.model == marks.model, tags.c.version == marks.version)
        )
        self._transaction.insert_all(
            tags, [{**at, "name": name, "value": value} for name, value in marks.tags.items()]
        )

    def get(self, model: str, version: int) -> Marks:
        found = self._transaction.find(_ONE, Marks, model=model, version=version)
        return found or Marks(model=model, version=version)

    def list(self, model: str | None = None) -> builtins.list[Marks]:
        query = sa.select(labels.c.record).order_by(labels.c.model, labels.c.version)
        if model is not None:
            query = query.where(labels.c.model == model)
        return self._transaction.all(query, Marks)


_ONE = sa.select(labels.c.record).where(
    labels.c.model == sa.bindparam("model"), labels.c.version == sa.bindparam("version")
)
