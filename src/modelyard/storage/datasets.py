"""Dataset versions in the database."""

from __future__ import annotations

import builtins
from typing import Any

import sqlalchemy as sa

from modelyard.records.dataset import DatasetVersion
from modelyard.storage.schema import datasets
from modelyard.storage.transaction import Transaction, encoded


class SqlDatasets:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def next_number(self, dataset: str) -> int:
        self._transaction.claim(dataset, "dataset")
        return self._transaction.next(f"dataset/{dataset}")

    def add(self, version: DatasetVersion) -> None:
        self._transaction.claim(version.dataset, "dataset")
        self._transaction.insert(
            datasets,
            dataset=version.dataset,
            number=version.number,
            digest=version.digest,
            record=encoded(version),
        )

    def get(self, dataset: str, number: int) -> DatasetVersion | None:
        where = (datasets.c.dataset == dataset, datasets.c.number == number)
        return self._transaction.first(_record().where(*where), DatasetVersion)

    def latest(self, dataset: str) -> DatasetVersion | None:
        newest = _record().where(datasets.c.dataset == dataset).order_by(datasets.c.number.desc())
        return self._transaction.first(newest, DatasetVersion)

    def by_digest(self, dataset: str, digest: str) -> DatasetVersion | None:
        """The newest one with that content."""
        where = (datasets.c.dataset == dataset, datasets.c.digest == digest)
        newest = _record().where(*where).order_by(datasets.c.number.desc())
        return self._transaction.first(newest, DatasetVersion)

    def list(self, dataset: str | None = None) -> builtins.list[DatasetVersion]:
        """By dataset and number, ascending."""
        query = _record().order_by(datasets.c.dataset, datasets.c.number)
        if dataset is not None:
            query = query.where(datasets.c.dataset == dataset)
        return self._transaction.all(query, DatasetVersion)


def _record() -> sa.Select[Any]:
    return sa.select(datasets.c.record)
