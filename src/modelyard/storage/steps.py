"""Build steps that are done, in the database."""

from __future__ import annotations

import sqlalchemy as sa

from modelyard.records.step import StepRecord
from modelyard.storage.schema import steps
from modelyard.storage.transaction import Transaction, encoded, microseconds


class SqlSteps:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, record: StepRecord) -> None:
        self._transaction.put(
            steps,
            {"identity": record.identity},
            step=record.step,
            made=microseconds(record.made),
            record=encoded(record),
        )

    def get(self, identity: str) -> StepRecord | None:
        query = sa.select(steps.c.record).where(steps.c.identity == identity)
        return self._transaction.first(query, StepRecord)

    def latest(self, step: str) -> StepRecord | None:
        newest = sa.select(steps.c.record).where(steps.c.step == step).order_by(steps.c.made.desc())
        return self._transaction.first(newest, StepRecord)
