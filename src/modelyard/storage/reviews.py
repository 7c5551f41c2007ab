"""People's answers in the database."""

from __future__ import annotations

import builtins

import sqlalchemy as sa

from modelyard.records.registry import Review
from modelyard.storage.schema import reviews
from modelyard.storage.transaction import Transaction, encoded


class SqlReviews:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, review: Review) -> None:
        self._transaction.insert(reviews, model=review.model, version=review.version, record=encoded(review))

    def list(self, model: str, version: int) -> builtins.list[Review]:
        query = sa.select(reviews.c.record).where(reviews.c.model == model, reviews.c.version == version)
        return self._transaction.all(query.order_by(reviews.c.seq), Review)
