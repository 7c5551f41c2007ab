"""Sealed packages in the database; their content is in the artifact store."""

from __future__ import annotations

import builtins

import sqlalchemy as sa

from modelyard.records.package import Package
from modelyard.storage.schema import packages
from modelyard.storage.transaction import Transaction, encoded, microseconds


class SqlPackages:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, package: Package) -> None:
        self._transaction.put(
            packages,
            {"digest": package.digest},
            model=package.model,
            created=microseconds(package.created),
            record=encoded(package),
        )

    def get(self, digest: str) -> Package | None:
        return self._transaction.find(_BY_DIGEST, Package, digest=digest)

    def list(self, model: str | None = None) -> builtins.list[Package]:
        """Oldest first."""
        query = sa.select(packages.c.record).order_by(packages.c.created, packages.c.digest)
        if model is not None:
            query = query.where(packages.c.model == model)
        return self._transaction.all(query, Package)


_BY_DIGEST = sa.select(packages.c.record).where(packages.c.digest == sa.bindparam("digest"))
