"""Trainings in the database."""

from __future__ import annotations

import builtins

import sqlalchemy as sa

from modelyard.records.run import Run
from modelyard.storage.schema import runs
from modelyard.storage.transaction import Transaction, encoded, microseconds


class SqlRuns:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, run: Run) -> None:
        self._transaction.claim(run.model, "model")
        self._transaction.put(
            runs,
            {"id": run.id},
            model=run.model,
            status=run.status,
            started=microseconds(run.started),
            record=encoded(run),
        )

    def get(self, run_id: str) -> Run | None:
        return self._transaction.first(sa.select(runs.c.record).where(runs.c.id == run_id), Run)

    def latest(self, model: str) -> Run | None:
        query = sa.select(runs.c.record).where(runs.c.model == model, runs.c.status == "finished")
        return self._transaction.first(query.order_by(runs.c.started.desc(), runs.c.seq.desc()), Run)

    def list(self, model: str | None = None) -> builtins.list[Run]:
        query = sa.select(runs.c.record).order_by(runs.c.started.desc(), runs.c.seq.desc())
        if model is not None:
            query = query.where(runs.c.model == model)
        return self._transaction.all(query, Run)
