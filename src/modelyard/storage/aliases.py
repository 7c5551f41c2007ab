"""Names that move from version to version, in the database."""

from __future__ import annotations

import builtins

import sqlalchemy as sa

from modelyard.records.registry import Alias
from modelyard.storage.schema import aliases
from modelyard.storage.transaction import Transaction, encoded


class SqlAliases:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, alias: Alias) -> None:
        self._transaction.put(
            aliases,
            {"model": alias.model, "name": alias.name},
            version=alias.version,
            record=encoded(alias),
        )

    def remove(self, model: str, name: str) -> None:
        self._transaction.write(aliases.delete().where(aliases.c.model == model, aliases.c.name == name))

    def get(self, model: str, name: str) -> Alias | None:
        query = sa.select(aliases.c.record).where(aliases.c.model == model, aliases.c.name == name)
        return self._transaction.first(query, Alias)

    def list(self, model: str | None = None) -> builtins.list[Alias]:
        query = sa.select(aliases.c.record).order_by(aliases.c.model, aliases.c.name)
        if model is not None:
            query = query.where(aliases.c.model == model)
        return self._transaction.all(query, Alias)
