"""Results of build steps in the database."""

from __future__ import annotations

import sqlalchemy as sa

from modelyard.storage.schema import steps
from modelyard.storage.transaction import Transaction


class SqlSteps:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def get(self, identity: str) -> str | None:
        query = sa.select(steps.c.result).where(steps.c.identity == identity)
        result: str | None = self._transaction.query(query).scalar()
        return result

    def put(self, identity: str, step: str, result: str) -> None:
        self._transaction.put(steps, {"identity": identity}, step=step, result=result)
