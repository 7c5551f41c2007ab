"""From findings to what people are told: one open alert of each trouble, and notices that channels get (floor 4)."""

from __future__ import annotations

from modelyard.alerts.course import escalate, found, job_ended, resolve, silence, window_seen
from modelyard.alerts.deliver import Channels, put_off, send, tried_out

__all__ = [
    "Channels",
    "escalate",
    "found",
    "job_ended",
    "put_off",
    "resolve",
    "send",
    "silence",
    "tried_out",
    "window_seen",
]
