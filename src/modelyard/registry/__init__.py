"""Versions, admission, reviews and releases: the rules of what may go where (floor 4).

Functions over one transaction's facts, without I/O; each appends the event of what it changed. A
repeat of what is done already changes nothing and appends nothing.
"""

from __future__ import annotations

from modelyard.registry.promote import admissible, promote
from modelyard.registry.register import register
from modelyard.registry.release import begin, fail, rollback_target, stop, succeed
from modelyard.registry.resolve import parse, resolve
from modelyard.registry.review import review

__all__ = [
    "admissible",
    "begin",
    "fail",
    "parse",
    "promote",
    "register",
    "resolve",
    "review",
    "rollback_target",
    "stop",
    "succeed",
]
