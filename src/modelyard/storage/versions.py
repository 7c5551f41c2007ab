"""Registered versions in the database."""

from __future__ import annotations

import builtins
from typing import Any, Literal

import sqlalchemy as sa

from modelyard.ports import Condition
from modelyard.records.registry import Version
from modelyard.storage.schema import aliases, figures, releases, tags, versions
from modelyard.storage.search import Columns
from modelyard.storage.transaction import Transaction, encoded, microseconds

_GROUPS = {"metrics": figures, "tags": tags, "aliases": aliases}


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
            registered=microseconds(version.registered),
            author=version.by,
            dataset=version.dataset,
            run=version.run,
        )
        at = {"model": version.model, "version": version.number}
        self._transaction.insert_all(
            figures, [{**at, "name": name, "value": value} for name, value in version.metrics.items()]
        )

    def get(self, model: str, number: int) -> Version | None:
        return self._transaction.find(_NUMBERED, Version, model=model, number=number)

    def latest(self, model: str) -> Version | None:
        return self._transaction.find(_LATEST, Version, model=model)

    def by_package(self, model: str, digest: str) -> Version | None:
        return self._transaction.find(_PACKAGED, Version, model=model, digest=digest)

    def live(self, model: str, environment: str) -> Version | None:
        return self._transaction.find(_LIVE, Version, model=model, environment=environment)

    def aliased(self, model: str, name: str) -> Version | None:
        return self._transaction.find(_ALIASED, Version, model=model, name=name)

    def list(self, model: str | None = None) -> builtins.list[Version]:
        """By model and number, ascending."""
        query = _record().order_by(versions.c.model, versions.c.number)
        if model is not None:
            query = query.where(versions.c.model == model)
        return self._transaction.all(query, Version)

    def search(self, condition: Condition, model: str | None = None) -> builtins.list[Version]:
        true, _ = condition(Columns())
        query = _record().where(true).order_by(versions.c.model, versions.c.number)
        if model is not None:
            query = query.where(versions.c.model == model)
        return self._transaction.all(query, Version)

    def known(
        self, group: Literal["metrics", "tags", "aliases"], model: str | None = None
    ) -> builtins.list[str]:
        table = _GROUPS[group]
        query = sa.select(table.c.name).distinct().order_by(table.c.name)
        if model is not None:
            query = query.where(table.c.model == model)
        return [str(name) for name in self._transaction.query(query).scalars()]


def _record() -> sa.Select[Any]:
    return sa.select(versions.c.record)


def _pointed(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The version that a row of the table points to."""
    same = (table.c.model == versions.c.model) & (table.c.version == versions.c.number)
    return _record().join(table, same).where(table.c.model == sa.bindparam("model"), *conditions)


_OF_MODEL = _record().where(versions.c.model == sa.bindparam("model"))
_NUMBERED = _OF_MODEL.where(versions.c.number == sa.bindparam("number"))
_LATEST = _OF_MODEL.order_by(versions.c.number.desc()).limit(1)
_PACKAGED = _OF_MODEL.where(versions.c.package == sa.bindparam("digest"))
_LIVE = _pointed(
    releases,
    releases.c.environment == sa.bindparam("environment"),
    releases.c.status == sa.literal_column("'live'"),  # as the index has it, which holds such rows alone
)
_ALIASED = _pointed(aliases, aliases.c.name == sa.bindparam("name"))
