"""A new project that builds and passes its tests at once (floor 4)."""

from __future__ import annotations

from modelyard.scaffold.choices import Choices
from modelyard.scaffold.create import Created, create
from modelyard.scaffold.upgrade import Kept, upgrade

__all__ = ["Choices", "Created", "Kept", "create", "upgrade"]
