"""What one worker did for one version in a minute, beside what it answered."""

from __future__ import annotations

import msgspec


class Minute(msgspec.Struct, frozen=True, array_like=True):
    """Requests by how they ended, and how busy the worker was; a minute without any leaves no record."""

    model: str
    version: int
    workers: int
    """How many share the load."""
    answered: int = 0
    refused: int = 0
    """For what the client sent: a 4xx other than 429."""
    overloaded: int = 0
    """429: too many waited already."""
    failed: int = 0
    """5xx: the service's own fault."""
    busy: float = 0.0
    """Seconds spent on turns."""
    waiting: int = 0
    """The most requests that waited for one turn."""
