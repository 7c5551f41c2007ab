"""How logged predictions are watched."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelyard.settings.data import Share

Method = Literal["calibrated", "evidently", "nannyml"]


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[monitor.MODEL]``: how a model's logged predictions are watched."""

    window: Annotated[str, Meta(pattern=r"^([1-9][0-9]{0,6}([smhd]| rows)|hour|day|week|month)$")] = "1h"
    """What one look covers: a length of time such as ``30m``, ``1h`` or ``7d``; ``hour``, ``day``, ``week`` or
    ``month`` of the calendar; or so many predictions, ``1000 rows``."""
    every: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,6}([smhd]| rows)$")] | None = None
    """How far the next window begins after the last, where they are to overlap: ``15m``, or ``100 rows``. By default
    a window begins where the last one ended."""
    timezone: str = "UTC"
    """Whose hours, days, weeks and months the calendar's windows are, such as ``Europe/Berlin``."""
    alpha: Share = 0.05
    """False alarms to accept per window, all columns together."""
    correction: Literal["holm", "benjamini-hochberg"] = "holm"
    min_effect: Annotated[float, Meta(ge=0)] = 0.01
    """Smallest effect that is worth an alert: the population stability index less what chance alone
    adds to it. A shift of 0.1 standard deviations has 0.01, one of 0.2 has 0.04, of 0.5 about 0.25."""
    min_rows: Annotated[int, Meta(ge=1)] = 50
    """Fewer rows than this are not judged."""

    def __post_init__(self) -> None:
        if self.timezone != "UTC":
            from zoneinfo import ZoneInfo

            try:
                ZoneInfo(self.timezone)
            except (KeyError, OSError, ValueError):
                raise ValueError(
                    f"'timezone' is no time zone that this machine knows: '{self.timezone}'"
                ) from None
        if self.every is not None:
            self._overlapping(self.every)

    def _overlapping(self, every: str) -> None:
        if not re.match(r"[0-9]", self.window):
            raise ValueError(f"'every' does not go with the calendar's windows ('{self.window}')")
        if self.window.endswith(" rows") != every.endswith(" rows"):
            raise ValueError("'every' and 'window' are both lengths of time, or both rows")
