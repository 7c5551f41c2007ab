"""Registered versions in the database."""

from __future__ import annotations

import builtins
from typing import Any

import sqlalchemy as sa

from modelyard.records.registry import Version
from modelyard.storage.schema import versions
from modelyard.storage.transaction import Transaction, encoded


class SqlVersions:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def next_number(self, model: str) -> int:
        self._transaction.claim(model, "model")
        return self._transaction.next(f"model/{model}")

    def add(self, version: Version) -> None:
        self._transaction.claim(version.model, "model")
        self._transaction.insert(
            versions,
            model=version.model,
            number=version.number,
            package=version.package,
            record=encoded(version),
        )

    def get(self, model: str, number: int) -> Version | None:
        where = (versions.c.model == model, versions.c.number == number)
        return self._transaction.first(_record().where(*where), Version)

    def latest(self, model: str) -> Version | None:
        newest = _record().where(versions.c.model == model).order_by(versions.c.number.desc())
        return self._transaction.first(newest, Version)

    def by_package(self, model: str, digest: str) -> Version | None:
        where = (versions.c.model == model, versions.c.package == digest)
        return self._transaction.first(_record().where(*where), Version)

    def list(self, model: str | None = None) -> builtins.list[Version]:
        """By model and number, ascending."""
        query = _record().order_by(versions.c.model, versions.c.number)
        if model is not None:
            query = query.where(versions.c.model == model)
        return self._transaction.all(query, Version)


def _record() -> sa.Select[Any]:
    return sa.select(versions.c.record)
