"""The seam to a forge's own pipelines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Protocol

OPERATION = "MODELYARD_OPERATION"
"""The variable that marks what was started: the same value is the same occasion."""


class Pipelines(Protocol):
    """One pipeline of one project on a forge."""

    def start(self, ref: str, variables: Mapping[str, str], *, asked: dt.datetime | None = None) -> str:
        """Start it on the branch with these variables, of which ``OPERATION`` is one; the address where it is seen.

        One call starts one at most: an answer that is lost raises ``ForgeDown``, and what the forge refuses, so that nothing
        was started, ``ForgeDenied`` or ``ForgeRefused``. ``asked`` is when it was first asked for the same without an answer: then what was
        started since is looked for, and if it may be this, nothing is started and that one's address returned.
        """
        ...
