"""A new project that builds and passes its tests at once (floor 4)."""

from __future__ import annotations

from modelyard.scaffold.create import TEMPLATES, create
from modelyard.scaffold.rows import write_table

__all__ = ["TEMPLATES", "create", "write_table"]
