"""One transaction's view of the yard."""

from __future__ import annotations

from typing import TypeVar

import sqlalchemy as sa

from modelyard.storage.admissions import SqlAdmissions
from modelyard.storage.alerts import SqlAlerts, SqlNotices
from modelyard.storage.aliases import SqlAliases
from modelyard.storage.datasets import SqlDatasets
from modelyard.storage.events import SqlEvents
from modelyard.storage.jobs import SqlJobs
from modelyard.storage.labels import SqlLabels
from modelyard.storage.packages import SqlPackages
from modelyard.storage.releases import SqlReleases
from modelyard.storage.reviews import SqlReviews
from modelyard.storage.runs import SqlRuns
from modelyard.storage.schedules import SqlSchedules
from modelyard.storage.schema import operations
from modelyard.storage.steps import SqlSteps
from modelyard.storage.tokens import SqlTokens
from modelyard.storage.transaction import Transaction
from modelyard.storage.versions import SqlVersions
from modelyard.storage.windows import SqlWindows

T = TypeVar("T")


class SqlFacts:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.datasets = SqlDatasets(transaction)
        self.runs = SqlRuns(transaction)
        self.packages = SqlPackages(transaction)
        self.versions = SqlVersions(transaction)
        self.labels = SqlLabels(transaction)
        self.aliases = SqlAliases(transaction)
        self.admissions = SqlAdmissions(transaction)
        self.reviews = SqlReviews(transaction)
        self.releases = SqlReleases(transaction)
        self.events = SqlEvents(transaction)
        self.steps = SqlSteps(transaction)
        self.tokens = SqlTokens(transaction)
        self.windows = SqlWindows(transaction)
        self.jobs = SqlJobs(transaction)
        self.schedules = SqlSchedules(transaction)
        self.alerts = SqlAlerts(transaction)
        self.notices = SqlNotices(transaction)

    def done(self, operation: str, result: type[T]) -> T | None:
        query = sa.select(operations.c.result).where(operations.c.id == operation)
        return self._transaction.first(query, result)
