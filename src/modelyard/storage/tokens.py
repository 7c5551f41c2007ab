"""Tokens in the database."""

from __future__ import annotations

import builtins
from typing import Any

import sqlalchemy as sa

from modelyard.records.access import Token
from modelyard.storage.schema import tokens
from modelyard.storage.transaction import Transaction, encoded


class SqlTokens:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, token: Token) -> None:
        self._transaction.put(
            tokens, {"id": token.id}, sha256=token.sha256, guards=int(token.guards), record=encoded(token)
        )

    def get(self, token_id: str) -> Token | None:
        return self._transaction.first(sa.select(tokens.c.record).where(tokens.c.id == token_id), Token)

    def by_sha256(self, sha256: str) -> Token | None:
        return self._transaction.first(sa.select(tokens.c.record).where(tokens.c.sha256 == sha256), Token)

    def asked(self) -> bool:
        return self._transaction.query(_ASKED).first() is not None

    def list(self) -> builtins.list[Token]:
        return self._transaction.all(sa.select(tokens.c.record).order_by(tokens.c.id), Token)


_ASKED: sa.Select[Any] = (
    sa.select(sa.literal_column("1")).select_from(tokens).where(tokens.c.guards == 1).limit(1)
)
