"""A challenger held against the live version, on the same rows."""

from __future__ import annotations

import msgspec


class PairedMetric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One metric of both; the difference is the challenger's figure less the champion's."""

    name: str
    value: float
    champion: float
    difference: float
    error: float | None = None
    """Standard error of the difference; None where these rows do not tell it."""
    low: float | None = None
    """Of the 95 % interval of the difference."""
    high: float | None = None
    method: str = "bootstrap"
    """Where the error is from: ``delong`` or ``bootstrap``."""
    higher_is_better: bool = True


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """On how many rows which of both answers the right label; McNemar's two-sided p-values."""

    both: int
    only_challenger: int
    only_champion: int
    neither: int
    p_exact: float
    p_mid: float


class PairedSlice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Both on the rows of one category or bin of a column."""

    column: str
    label: str
    rows: int
    metrics: tuple[PairedMetric, ...] = ()
    """None where the rows are fewer than the least that is judged."""

    def metric(self, name: str) -> PairedMetric | None:
        """The metric of that name, if both have it there."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Comparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The tested version (challenger) against what is live in an environment (champion)."""

    environment: str
    champion: str = ""
    """Digest of the champion's package."""
    metrics: tuple[PairedMetric, ...] = ()
    decisions: Decisions | None = None
    slices: tuple[PairedSlice, ...] = ()
    unfit: str = ""
    """Why the champion cannot be scored on these rows, in a clause; then there are no figures."""

    def metric(self, name: str) -> PairedMetric | None:
        """The metric of that name, if both have it."""
        return next((metric for metric in self.metrics if metric.name == name), None)
