"""What the yard hands out: a queue with leases, and clocks that fill it (floor 4).

The yard decides. Whoever holds a job's lease does it; who is gone or late loses it, and what was done of it by then
is found done, since every action is done once for its operation.
"""

from __future__ import annotations

from modelyard.jobs.clock import advance, settle
from modelyard.jobs.lease import LEASE, beat, end, give_back, take
from modelyard.jobs.queue import again, ask, cancel, found

__all__ = [
    "LEASE",
    "advance",
    "again",
    "ask",
    "beat",
    "cancel",
    "end",
    "found",
    "give_back",
    "settle",
    "take",
]
