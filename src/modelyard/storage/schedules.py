"""Clocks in the database."""

from __future__ import annotations

import builtins
import datetime as dt

import sqlalchemy as sa

from modelyard.records.job import Schedule
from modelyard.storage.schema import schedules
from modelyard.storage.transaction import Transaction, encoded, microseconds


class SqlSchedules:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, schedule: Schedule) -> None:
        self._transaction.put(
            schedules, {"name": schedule.name}, due=microseconds(schedule.due), record=encoded(schedule)
        )

    def remove(self, name: str) -> None:
        self._transaction.write(schedules.delete().where(schedules.c.name == name))

    def list(self) -> builtins.list[Schedule]:
        return self._transaction.all(sa.select(schedules.c.record).order_by(schedules.c.name), Schedule)

    def due(self, now: dt.datetime) -> builtins.list[Schedule]:
        query = sa.select(schedules.c.record).where(schedules.c.due <= microseconds(now))
        return self._transaction.all(query.order_by(schedules.c.due, schedules.c.name), Schedule)
