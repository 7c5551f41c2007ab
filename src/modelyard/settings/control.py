"""Settings of the control plane. The docstrings are the documentation of ``docs/settings.md``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Limit = Annotated[int, Meta(ge=0, le=1000)]


class JobSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[jobs]``: what ``up`` and ``worker`` do."""

    limits: dict[str, Limit] = {}
    """By queue, how many of its jobs may run at once on all machines together. A queue is an environment's name, or
    ``build``; 0 lets its jobs wait."""
    workers: Annotated[int, Meta(ge=0, le=64)] = 2
    """Jobs that ``up`` does side by side on its machine."""
