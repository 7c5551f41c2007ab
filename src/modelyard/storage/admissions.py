"""What environments admit, in the database."""

from __future__ import annotations

import builtins

import sqlalchemy as sa

from modelyard.records.registry import Admission
from modelyard.storage.schema import admissions
from modelyard.storage.transaction import Transaction, encoded


class SqlAdmissions:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, admission: Admission) -> None:
        self._transaction.insert(
            admissions,
            model=admission.model,
            version=admission.version,
            environment=admission.environment,
            record=encoded(admission),
        )

    def get(self, model: str, version: int, environment: str) -> Admission | None:
        query = sa.select(admissions.c.record).where(
            admissions.c.model == model,
            admissions.c.version == version,
            admissions.c.environment == environment,
        )
        return self._transaction.first(query, Admission)

    def list(self, environment: str, model: str) -> builtins.list[Admission]:
        query = sa.select(admissions.c.record).where(
            admissions.c.environment == environment, admissions.c.model == model
        )
        return self._transaction.all(query.order_by(admissions.c.version), Admission)
