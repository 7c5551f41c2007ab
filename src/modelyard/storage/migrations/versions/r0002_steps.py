"""Steps keep what they depended on."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    earlier = op.get_bind().execute(sa.text("SELECT identity, step, result FROM steps")).all()
    op.drop_table("steps")
    steps = op.create_table(
        "steps",
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name="pk_steps"),
    )
    op.create_index("ix_steps_step_made", "steps", ["step", "made"])
    for identity, step, result in earlier:
        record = {"identity": identity, "step": step, "result": result, "made": "1970-01-01T00:00:00Z"}
        op.execute(steps.insert().values(identity=identity, step=step, made=0, record=json.dumps(record)))
