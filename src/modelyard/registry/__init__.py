"""Versions, admission, reviews and releases: the rules of what may go where (floor 4).

Functions over one transaction's facts, without I/O; each appends the event of what it changed. A
repeat of what is done already changes nothing and appends nothing.
"""

from __future__ import annotations

from modelyard.registry.alias import alias, unalias
from modelyard.registry.history import live_at
from modelyard.registry.label import deprecate, note, reinstate, tag
from modelyard.registry.promote import admissible, promote
from modelyard.registry.register import register
from modelyard.registry.release import begin, fail, on_trial, rollback_target, stop, succeed
from modelyard.registry.resolve import parse, resolve
from modelyard.registry.retraining import (
    built,
    commence,
    conclude,
    decided,
    decisions,
    failures,
    hand_over,
    key,
    proceed,
    retrainings,
    this_week,
    tried,
    under_way,
)
from modelyard.registry.review import review
from modelyard.registry.search import choose, search
from modelyard.registry.token import create, revoke

__all__ = [
    "admissible",
    "alias",
    "begin",
    "built",
    "choose",
    "commence",
    "conclude",
    "create",
    "decided",
    "decisions",
    "deprecate",
    "fail",
    "failures",
    "hand_over",
    "key",
    "live_at",
    "note",
    "on_trial",
    "parse",
    "proceed",
    "promote",
    "register",
    "reinstate",
    "resolve",
    "retrainings",
    "review",
    "revoke",
    "rollback_target",
    "search",
    "stop",
    "succeed",
    "tag",
    "this_week",
    "tried",
    "unalias",
    "under_way",
]
