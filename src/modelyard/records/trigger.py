"""What started a build again, what was decided about it, and how far the retraining is."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

TriggerKind = Literal[
    "hand", "schedule", "new_data", "code", "drift", "live_quality", "estimated_quality", "data_quality"
]
"""``data_quality`` starts nothing: it forbids."""
Verdict = Literal["yes", "no", "ask", "block"]
"""``ask`` wants a person; ``block`` is a no that no other trigger outweighs."""
Why = Literal[
    "build",
    "nothing",
    "data_quality",
    "under_way",
    "investigate",
    "labels",
    "failing",
    "back_off",
    "cool_down",
    "most_a_week",
    "few_rows",
    "built",
]


class Fired(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trigger that has something to say."""

    kind: TriggerKind
    evidence: str
    """What it saw, in short: the same evidence is the same occasion."""
    sentence: str
    numbers: dict[str, float | int | str] = {}


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a decision rests on beside what fired."""

    moment: dt.datetime
    live: int = 0
    """The live version's number in the watched environment; 0 where nothing is live."""
    under_way: str = ""
    """The retraining of the model that has not ended."""
    begun: dt.datetime | None = None
    """When the last retraining began."""
    this_week: int = 0
    """Retrainings that began in the last seven days; those that found nothing to build do not count."""
    failures: int = 0
    """Builds that failed one after another, up to now."""
    failed: dt.datetime | None = None
    """When the last of them did."""
    data: str = ""
    """The dataset version that a build would learn from; empty before it is ingested."""
    fresh_rows: int | None = None
    """Its labelled rows that the live version did not learn from; None where that is not known yet."""
    built: bool = False
    """A retraining under this policy, on these rows and this code, was there already."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look at all triggers of a model."""

    model: str
    environment: str
    """The watched one."""
    verdict: Verdict
    why: Why
    reason: str
    """One sentence with the numbers that decided."""
    fired: tuple[Fired, ...] = ()
    state: State
    policy: str
    """Digest of the policy that it was decided by."""
    notes: tuple[str, ...] = ()
    """What could not be looked at, and why."""
    operation: str = ""
    """Of a yes: the retraining that it starts. The same occasion has the same one, whoever looks."""


Outcome = Literal[
    "live", "unchanged", "refused", "failed", "rolled_back", "overtaken", "lapsed", "handed_over"
]
"""How a retraining ends: the challenger is live; there was nothing new to build; it was not good enough; a step failed;
its canary ended it; somebody else deployed meanwhile; nobody reviewed it in time; a forge's pipeline was
started to do it."""


class Retraining(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way from a decision to a live version. What is not there yet is empty."""

    operation: str
    model: str
    number: int = 0
    reason: str
    """The decision's."""
    policy: str = ""
    fired: tuple[Fired, ...] = ()
    begun: dt.datetime
    by: str = ""
    data: str = ""
    key: str = ""
    """Digest of policy, rows and code: what is built at most once."""
    package: str = ""
    shown: str = ""
    """What the challenger showed beside the champion."""
    version: int = 0
    waits: str = ""
    """For what it waits, where it does: a sentence."""
    pipeline: str = ""
    """The forge's that is to do it; empty where this yard does."""
    asked: dt.datetime | None = None
    """When it was first asked to start that, so that it may have."""
    tries: int = 0
    """How often."""
    tried: dt.datetime | None = None
    """When the last time."""
    outcome: Outcome | None = None
    said: str = ""
    """Why it ended so."""
    ended: dt.datetime | None = None
