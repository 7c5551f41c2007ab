"""Connections and ``fork``: a child must not use, nor close, its parent's."""

from __future__ import annotations

import os
import weakref

import sqlalchemy as sa


def leave_to_parent(engine: weakref.ref[sa.Engine]) -> None:
    def forget() -> None:
        if (mine := engine()) is not None:
            mine.dispose(close=False)

    os.register_at_fork(after_in_child=forget)
