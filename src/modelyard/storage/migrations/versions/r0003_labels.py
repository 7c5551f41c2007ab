"""Versions are searched, and people say things of them: notes, tags, aliases, deprecation.

Revision ID: 0003
"""

from __future__ import annotations

import datetime as dt
import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _columns()
    op.create_table(
        "figures",
        *_version(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        _of_version("figures"),
        sa.PrimaryKeyConstraint("model", "version", "name", name="pk_figures"),
    )
    op.create_table(
        "labels",
        *_version(),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("deprecated", sa.Integer(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        _of_version("labels"),
        sa.PrimaryKeyConstraint("model", "version", name="pk_labels"),
    )
    op.create_table(
        "tags",
        *_version(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        _of_version("tags"),
        sa.PrimaryKeyConstraint("model", "version", "name", name="pk_tags"),
    )
    op.create_table(
        "aliases",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        _of_version("aliases"),
        sa.PrimaryKeyConstraint("model", "name", name="pk_aliases"),
    )


def _columns() -> None:
    op.add_column("versions", sa.Column("registered", sa.BigInteger(), nullable=False, server_default="0"))
    for name in ("author", "dataset", "run"):
        op.add_column("versions", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    bind = op.get_bind()
    change = sa.text(
        "UPDATE versions SET registered = :registered, author = :author, dataset = :dataset, run = :run "
        "WHERE model = :model AND number = :number"
    )
    for model, number, text in bind.execute(sa.text("SELECT model, number, record FROM versions")).all():
        record = json.loads(text)
        since = dt.datetime.fromisoformat(record["registered"]) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        bind.execute(
            change,
            {
                "registered": since // dt.timedelta(microseconds=1),
                "author": record["by"],
                "dataset": record["dataset"],
                "run": record["run"],
                "model": model,
                "number": number,
            },
        )


def _version() -> tuple[sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
    )


def _of_version(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["model", "version"], ["versions.model", "versions.number"], name=f"fk_{table}_versions"
    )
