"""Settings of the control plane. The docstrings are the documentation of ``docs/settings.md``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Door = Annotated[int, Meta(ge=1, le=65535)]
Limit = Annotated[int, Meta(ge=0, le=1000)]


class JobSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[jobs]``: what ``up`` and ``worker`` do."""

    limits: dict[str, Limit] = {}
    """By queue, how many of its jobs may run at once on all machines together. A queue is an environment's name, or
    ``build``; 0 lets its jobs wait."""
    keep: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,4}d$")] = "90d"
    """After so long a job that ended is forgotten, with what it printed. What it did stays on record."""
    workers: Annotated[int, Meta(ge=0, le=64)] = 2
    """Jobs that ``up`` does side by side on its machine."""


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[console]``: where ``up`` answers people and programs."""

    port: Door = 8100
    host: str = "127.0.0.1"
    """Anything but loopback needs a yard that asks for tokens, and a proxy before it that speaks TLS."""
    hosts: tuple[str, ...] = ()
    """Further names that a browser may know it by, with their port if it is not 443: ``models.example.org``."""
    off: bool = False
    """``up`` runs without it."""
