"""Why somebody did it, in their words."""

from __future__ import annotations

from modelyard.errors import Misuse

LONGEST = 2000
"""Characters."""


def worded(reason: str) -> str:
    """The reason without white space around it; ``Misuse`` for one that is too long."""
    reason = reason.strip()
    if len(reason) > LONGEST:
        raise Misuse(f"The reason has {len(reason)} characters, {LONGEST} at most; link to the long form.")
    return reason
