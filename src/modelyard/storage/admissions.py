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
        return self._transaction.find(_ONE, Admission, model=model, version=version, environment=environment)

    def list(self, environment: str, model: str) -> builtins.list[Admission]:
        query = sa.select(admissions.c.record).where(
            admissions.c.environment == environment, admissions.c.model == model
        )
        return self._transaction.all(query.order_by(admissions.c.version), Admission)


_ONE = sa.select(admissions.c.record).where(
    admissions.c.model == sa.bindparam("model"),
    admissions.c.version == sa.bindparam("version"),
    admissions.c.environment == sa.bindparam("environment"),
)
