"""Points and spans of time, as options take them."""

from __future__ import annotations

import datetime as dt
import re

import click

from modelyard.settings.spans import SPAN, span


class Moment(click.ParamType[dt.datetime]):
    """``2026-11-01`` (its first second) or ``2026-11-01T12:00``; UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(str(value))
            return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 2026-11-01 or 2026-11-01T12:00.", param, ctx)


class Span(click.ParamType[dt.timedelta]):
    """``30m``, ``24h`` or ``7d``."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta:
        if re.fullmatch(rf"{SPAN}|0[smhd]", str(value)) is None:
            self.fail(f"{value!r} is no span of time; write 30m, 24h or 7d.", param, ctx)
        return span(str(value))
