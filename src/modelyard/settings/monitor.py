"""How logged predictions are watched."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelyard.settings.data import Share
from modelyard.settings.spans import SPAN, Span

Method = Literal["calibrated", "evidently", "nannyml"]


class QualitySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``quality = { ... }``: what a metric must not be beyond, in what outcomes tell and in what is estimated without."""

    metric: str | None = None
    """By default the model's own."""
    min: float | None = None
    """The least, of a metric of which more is better."""
    max: float | None = None
    """The most, of one of which less is better."""


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[monitor.MODEL]``: how a model's logged predictions are watched."""

    window: Annotated[str, Meta(pattern=rf"^({SPAN}|[1-9][0-9]{{0,6}} rows|hour|day|week|month)$")] = "1h"
    """What one look covers: a length of time such as ``30m``, ``1h`` or ``7d``; ``hour``, ``day``, ``week`` or
    ``month`` of the calendar; or so many predictions, ``1000 rows``."""
    every: Annotated[str, Meta(pattern=rf"^({SPAN}|[1-9][0-9]{{0,6}} rows)$")] | None = None
    """How far the next window begins after the last, where they are to overlap: ``15m``, or ``100 rows``. By default
    a window begins where the last one ended."""
    timezone: str = "UTC"
    """Whose hours, days, weeks and months the calendar's windows are, such as ``Europe/Berlin``."""
    method: Method = "calibrated"
    """Who decides about drift: our own rule, whose rate of false alarms is ``alpha``, or the rules, numbers and thresholds
    of another tool. Those compare with the rows of the train split (answers: of the test split) in the yard."""
    test: Literal["auto", "ks", "chisquare", "z", "wasserstein", "jensenshannon", "psi", "kl_div"] = "auto"
    """With ``method = "evidently"`` the one of its tests that decides where it is for the column's kind; by default
    what Evidently chooses."""
    alpha: Share = 0.05
    """False alarms to accept per window, all columns together."""
    correction: Literal["holm", "benjamini-hochberg"] = "holm"
    min_effect: Annotated[float, Meta(ge=0)] = 0.01
    """Smallest effect that is worth an alert: the population stability index less what chance alone
    adds to it. A shift of 0.1 standard deviations has 0.01, one of 0.2 has 0.04, of 0.5 about 0.25."""
    multivariate: bool = True
    """Look whether a classifier can tell the window's rows from those that were learnt from; a second or two a window."""
    slices: tuple[str, ...] = ()
    """Columns by whose values drift is looked for in parts of the rows too: each category (the twelve commonest), or
    quarters of what was learnt from. A third of drift's share of ``alpha`` goes to them."""
    duplicates: bool = False
    """Rows that repeat others more than the rows learnt from do are an alert. They are told in any case: many clients
    ask twice about the same."""
    max_age: Span | None = None
    """How long before a window's end the data may have ended that its model learnt from, such as ``90d``."""
    max_latency_ms: Annotated[float, Meta(gt=0)] | None = None
    """What the 99th percentile of the time that answers take may be."""
    max_errors: Share = 0.01
    """The share of requests that may fail by the service's own fault (5xx)."""
    max_overload: Share = 0.01
    """The share of requests that may be turned away because too many wait (429)."""
    max_busy: Share = 0.9
    """The share of their time that workers may be busy, in 19 of 20 minutes that have requests."""
    min_rows: Annotated[int, Meta(ge=1)] = 50
    """Fewer rows than this are not judged."""
    estimate: Literal["confidence", "importance", "none"] = "confidence"
    """How quality is estimated where outcomes are not known: by the answers' own probabilities (of a regression by a
    model of its errors), by weighting the test split's rows until they look like the window's, or not at all."""
    stream: Annotated[int, Meta(ge=100)] | None = None
    """Also look at errors and scores row by row, by detectors that raise at most one false alarm in so many outcomes, and in
    so many rows: ``10000``."""
    quality: QualitySettings = QualitySettings()
    """Without ``min`` or ``max`` it is the model's gate on the metric, and without one what the report on the
    test split says of it, less three of its standard errors."""

    def __post_init__(self) -> None:
        if self.timezone != "UTC":
            from zoneinfo import ZoneInfo

            try:
                ZoneInfo(self.timezone)
            except (KeyError, OSError, ValueError):
                raise ValueError(
                    f"'timezone' is no time zone that this machine knows: '{self.timezone}'"
                ) from None
        if self.test != "auto" and self.method != "evidently":
            raise ValueError("'test' goes with method = 'evidently'")
        if self.every is not None:
            self._overlapping(self.every)

    def _overlapping(self, every: str) -> None:
        if not re.match(r"[0-9]", self.window):
            raise ValueError(f"'every' does not go with the calendar's windows ('{self.window}')")
        if self.window.endswith(" rows") != every.endswith(" rows"):
            raise ValueError("'every' and 'window' are both lengths of time, or both rows")
