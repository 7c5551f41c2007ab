"""``upgrade``: a project's generated files in their current form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelyard.scaffold import Kept
from modelyard.scaffold import upgrade as bring
from modelyard.settings import find


def upgrade(folder: Path | None, *, write: bool = False, take: Sequence[str] = ()) -> list[Kept]:
    """Compare them, or with ``write`` bring them there; what a person edited stays unless ``take`` names it."""
    return bring(find(folder or Path.cwd()), write=write, take=take)
