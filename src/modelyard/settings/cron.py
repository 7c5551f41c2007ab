"""When a schedule is due: cron as Debian has it, in a time zone.

A time that the clocks skip in spring is due right after the gap; one that they pass twice in autumn is due the
first time. An expression whose minute or hour begins with ``*`` follows real time through both.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo

from modelyard.errors import SettingsError

_FIELDS = 5


def check(expression: str, zone: str) -> None:
    """Raise ``ValueError`` for what is no cron expression, is never due, or for an unknown time zone."""
    from cronsim import CronSim, CronSimError

    if len(expression.split()) != _FIELDS:
        raise ValueError(f"'{expression}' is no schedule: give five fields, such as '0 3 * * 1'")
    try:
        next(CronSim(expression, dt.datetime(2024, 1, 1, tzinfo=_zone(zone))))
    except CronSimError as error:
        raise ValueError(f"'{expression}' is no schedule: {str(error).lower()}") from None
    except StopIteration:
        raise ValueError(f"'{expression}' is never due") from None


def last(expression: str, zone: str, moment: dt.datetime) -> dt.datetime | None:
    """The latest time, in UTC, at or before ``moment`` at which the schedule is due; None where there is none for a year."""
    from cronsim import CronSim

    # Forward from a little before, since what the clocks skip and repeat is settled in that direction.
    for back in (dt.timedelta(hours=3), dt.timedelta(days=2), dt.timedelta(days=40), dt.timedelta(days=370)):
        found = None
        for due in CronSim(expression, (moment - back).astimezone(_zone(zone))):
            at = due.astimezone(dt.UTC)
            if at > moment:
                break
            found = at
        if found is not None:
            return found
    return None


def following(expression: str, zone: str, moment: dt.datetime) -> dt.datetime | None:
    """The first time, in UTC, after ``moment``; None where there is none for fifty years."""
    from cronsim import CronSim

    for due in CronSim(expression, moment.astimezone(_zone(zone))):
        if (at := due.astimezone(dt.UTC)) > moment:
            return at
    return None


def _zone(name: str) -> dt.tzinfo:
    if name == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"There is no time zone '{name}' on this machine; give one such as 'Europe/Helsinki'."
        ) from None
