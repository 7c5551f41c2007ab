"""Points and spans of time, as options take them."""

from __future__ import annotations

import datetime as dt
import re

import click


class Moment(click.ParamType[dt.datetime]):
    """``2026-11-01`` (its first second) or ``2026-11-01T12:00``; UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(str(value))
            return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 2026-11-01 or 2026-11-01T12:00.", param, ctx)


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Span(click.ParamType[dt.timedelta]):
    """``30m``, ``24h`` or ``7d``."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta:
        match = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if match is None:
            self.fail(f"{value!r} is no span of time; write 30m, 24h or 7d.", param, ctx)
        return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})
