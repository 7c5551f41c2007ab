"""Alerts, and what channels are to be told of them, in the database."""

from __future__ import annotations

import builtins
import datetime as dt

import sqlalchemy as sa

from modelyard.records.alert import Alert, AlertState, Notice
from modelyard.storage.schema import alerts, notices
from modelyard.storage.transaction import Transaction, encoded, microseconds


class SqlAlerts:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def next_id(self) -> int:
        return self._transaction.next("alert")

    def put(self, alert: Alert) -> None:
        self._transaction.put(
            alerts, {"id": alert.id}, state=alert.state, key=alert.key, record=encoded(alert)
        )

    def get(self, alert_id: int) -> Alert | None:
        return self._transaction.first(sa.select(alerts.c.record).where(alerts.c.id == alert_id), Alert)

    def list(self, state: AlertState | None = None, *, limit: int | None = None) -> builtins.list[Alert]:
        query = sa.select(alerts.c.record).order_by(alerts.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(alerts.c.state == state)
        return self._transaction.all(query, Alert)


class SqlNotices:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def next_id(self) -> int:
        return self._transaction.next("notice")

    def put(self, notice: Notice) -> None:
        waits = not (notice.delivered or notice.given_up)
        self._transaction.put(
            notices, {"id": notice.id}, waits=int(waits), due=microseconds(notice.due), record=encoded(notice)
        )

    def due(self, now: dt.datetime, limit: int) -> builtins.list[Notice]:
        query = (
            sa.select(notices.c.record)
            .where(notices.c.waits == 1, notices.c.due <= microseconds(now))
            .order_by(notices.c.due, notices.c.id)
            .limit(limit)
        )
        return self._transaction.all(query, Notice)

    def list(self, *, limit: int | None = None) -> builtins.list[Notice]:
        return self._transaction.all(
            sa.select(notices.c.record).order_by(notices.c.id.desc()).limit(limit), Notice
        )
