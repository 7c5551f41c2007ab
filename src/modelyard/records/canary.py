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
    tolerance: float | None = None
    """Of a regression, the error from which an answer is wrong: the live version's own RMSE on its test rows."""


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
    refused_rival: Arm = Arm()
    """Judged by outcomes: the requests beside them, with those that were refused or failed."""
    refused_live: Arm = Arm()
    evidence: float
    """The e-value against "no worse"; at ``1/alpha`` it is called worse. By outcomes it is the mean of that of wrong
    answers and that of refused or failed requests."""
    alpha: float
    hours: float
    """Since the step began."""
    sentence: str
