"""Releases in the database; an index keeps at most one live for an environment and model."""

from __future__ import annotations

import builtins

import sqlalchemy as sa

from modelyard.records.registry import Release
from modelyard.storage.schema import releases
from modelyard.storage.transaction import Transaction, encoded


class SqlReleases:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def next_id(self) -> int:
        return self._transaction.next("release")

    def put(self, release: Release) -> None:
        self._transaction.put(
            releases,
            {"id": release.id},
            environment=release.environment,
            model=release.model,
            version=release.version,
            status=release.status,
            record=encoded(release),
        )

    def get(self, release_id: int) -> Release | None:
        return self._transaction.first(
            sa.select(releases.c.record).where(releases.c.id == release_id), Release
        )

    def live(self, environment: str, model: str) -> Release | None:
        query = sa.select(releases.c.record).where(
            releases.c.environment == environment, releases.c.model == model, releases.c.status == "live"
        )
        return self._transaction.first(query, Release)

    def list(self, environment: str | None = None, model: str | None = None) -> builtins.list[Release]:
        query = sa.select(releases.c.record).order_by(releases.c.id.desc())
        if environment is not None:
            query = query.where(releases.c.environment == environment)
        if model is not None:
            query = query.where(releases.c.model == model)
        return self._transaction.all(query, Release)
