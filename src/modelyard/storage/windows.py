"""Examined windows in the database; the whole reports are in the artifact store."""

from __future__ import annotations

import builtins
import datetime as dt

import sqlalchemy as sa

from modelyard.records.window import ExaminedWindow
from modelyard.storage.schema import windows
from modelyard.storage.transaction import Transaction, encoded, microseconds


class SqlWindows:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, window: ExaminedWindow) -> None:
        self._transaction.put(
            windows,
            {
                "environment": window.environment,
                "model": window.model,
                "version": window.version,
                "begins": microseconds(window.start),
                "ends": microseconds(window.end),
            },
            examined=microseconds(window.examined),
            record=encoded(window),
        )

    def latest(self, environment: str, model: str) -> ExaminedWindow | None:
        return next(iter(self.list(environment, model, limit=1)), None)

    def list(
        self,
        environment: str | None = None,
        model: str | None = None,
        *,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        limit: int | None = None,
    ) -> builtins.list[ExaminedWindow]:
        newest_first = (windows.c.ends.desc(), windows.c.examined.desc(), windows.c.begins.desc())
        query = sa.select(windows.c.record).order_by(*newest_first, windows.c.version.desc())
        if environment is not None:
            query = query.where(windows.c.environment == environment)
        if model is not None:
            query = query.where(windows.c.model == model)
        if since is not None:
            query = query.where(windows.c.ends > microseconds(since))
        if until is not None:
            query = query.where(windows.c.begins < microseconds(until))
        return self._transaction.all(query if limit is None else query.limit(limit), ExaminedWindow)
