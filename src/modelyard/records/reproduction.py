"""A run that was done again, held against what it gave the first time."""

from __future__ import annotations

from typing import Literal

import msgspec

from modelyard.records.run import Number

Verdict = Literal["identical", "equal", "different"]
Thing = Literal["code", "data", "environment", "model", "package", "predictions", "metrics", "logged"]


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """One thing then and now."""

    thing: Thing
    same: bool
    sentence: str
    """What it is, or in what it differs."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric then and now; None where one of them has none."""

    name: str
    then: Number | None
    now: Number | None


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Both models on the rows of the test split."""

    rows: int
    worst: float
    """The largest difference of a probability; of a number, relative to its size where that is above 1."""
    flips: int
    """Labels that differ."""


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """``identical``: the package has the same digest. ``equal``: its answers on the test split differ by at most
    ``tolerance`` and in no label. ``different``: by more; ``things`` say in what."""

    ref: str
    model: str
    run: str
    verdict: Verdict
    package: str
    """Digest of what the run gave."""
    again: str
    """Digest of what it gives now."""
    things: tuple[Again, ...]
    tolerance: float
    files: tuple[str, ...] = ()
    """Paths in the package that differ."""
    answers: Answers | None = None
    """Looked at when the packages are not identical."""
    metrics: tuple[Figure, ...] = ()
    """On the test split."""
    logged: tuple[Figure, ...] = ()
    """The last values that the training logged."""
    seconds: float
