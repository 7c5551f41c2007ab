"""How a version on trial does beside the one that is live."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

CanaryVerdict = Literal["worse", "passed", "waits", "lapsed"]
Measure = Literal["outcomes", "requests"]


class Arm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version's answers that were judged, and those of them that were wrong, refused or failed."""

    judged: int = 0
    errors: int = 0


class Begun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step of a canary, with what the service had counted until then."""

    release: int
    version: int
    champion: int
    """The live version's number."""
    share: float
    since: dt.datetime
    rival: Arm = Arm()
    live: Arm = Arm()


class CanaryReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A look at a canary."""

    environment: str
    model: str
    version: int
    champion: int
    share: float
    verdict: CanaryVerdict
    by: Measure
    rival: Arm
    live: Arm
    evidence: float
    """The e-value against "no worse"; at ``1/alpha`` it is called worse."""
    alpha: float
    hours: float
    """Since the step began."""
    sentence: str
