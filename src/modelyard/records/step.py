"""A step of a build that is done, and all that it depended on."""

from __future__ import annotations

import datetime as dt

import msgspec


class Input(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a step depends on; ``value`` decides whether it changed."""

    kind: str
    """What it is: ``data``, ``code``, ``parameter``, ``environment``, ..."""
    name: str
    value: str
    """The thing itself where it is short, else a digest of it."""
    shown: str = ""
    """What a person reads in place of a digest: ``@3``."""


class StepRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a step gave. ``identity`` is the digest of its inputs: a step is done once, whoever asks."""

    identity: str
    step: str
    """``screening/train``: whose step, and which."""
    result: str
    """The reference that it made or found: ``patients@3``, a digest, ``screening@7``."""
    refusal: str = ""
    """The sentence, when the answer was no: unchanged inputs would give it again."""
    inputs: tuple[Input, ...] = ()
    """Empty in records of an older Modelyard."""
    seconds: float = 0.0
    made: dt.datetime
