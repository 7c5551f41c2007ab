"""Notices to their channels, by Apprise: tried again until they arrive, later each time, and on record."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from modelyard.errors import ExtraMissing, SettingsError
from modelyard.ports import Facts
from modelyard.records.alert import Notice
from modelyard.settings.alerts import AlertSettings

TRIES = 12
_FIRST, _LONGEST = dt.timedelta(seconds=15), dt.timedelta(hours=1)
_OWN = dt.timedelta(minutes=2)
_WAIT = 20.0
"""Seconds that a channel has."""


class Channels:
    """Opens channels by name. Their addresses hold secrets: they are in no message, record or log."""

    def __init__(self, settings: AlertSettings, root: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._settings, self._root, self._environ = settings, root, environ

    def open(self, name: str) -> Any:
        """The channel as Apprise knows it. Raises ``SettingsError``, ``ExtraMissing``."""
        channel = self._settings.channels.get(name)
        if channel is None:
            raise SettingsError(f"There is no [alerts.channels.{name}] in modelyard.toml.")
        if channel.variable is not None:
            address, where = self._environ.get(channel.variable, ""), f"the variable {channel.variable}"
        else:
            where = f"the file {channel.file}"
            try:
                address = (self._root / (channel.file or "")).read_text()
            except OSError as error:
                raise SettingsError(
                    f"alerts.channels.{name}.file: {where} cannot be read: {error.strerror}."
                ) from None
        if not address.strip():
            raise SettingsError(f"alerts.channels.{name}: {where} holds no address.")
        return _known(address.strip(), name, where)


def _known(address: str, name: str, where: str) -> Any:
    try:
        import apprise
    except ImportError:
        raise ExtraMissing("Telling channels needs Apprise: pip install 'modelyard[alerts]'.") from None
    logging.getLogger("apprise").disabled = True  # it would name addresses
    found = apprise.Apprise()
    if not found.add(address):
        raise SettingsError(f"alerts.channels.{name}: what {where} holds is no address that Apprise knows.")
    return found


def send(notice: Notice, channels: Channels, *, now: dt.datetime) -> Notice:
    """The notice with what became of this try."""
    problem = ""
    try:
        if not _sent(notice, channels.open(notice.channel)):
            problem = f"the channel {notice.channel} did not take it"
    except (SettingsError, ExtraMissing) as error:
        problem = str(error)
    except Exception as error:  # of a channel's library; its words may hold the address
        problem = f"the channel {notice.channel} failed ({type(error).__name__})"
    tried = replace(notice, tries=notice.tries + 1, problem=problem)
    if not problem:
        return replace(tried, delivered=now)
    wait = min(_FIRST * 2 ** min(notice.tries, 10), _LONGEST)
    return replace(tried, due=now + wait, given_up=tried.tries >= TRIES)


def put_off(facts: Facts, notice: Notice, *, now: dt.datetime) -> bool:
    """Whether it is still to be sent, and by whoever asks: for a while it is nobody else's."""
    there = next((one for one in facts.notices.due(now, 1000) if one.id == notice.id), None)
    if there is None:
        return False
    facts.notices.put(replace(there, due=now + _OWN))
    return True


def tried_out(name: str, channels: Channels, *, project: str, now: dt.datetime) -> Notice:
    """A message that says that it is a test, sent once."""
    notice = Notice(
        id=0,
        channel=name,
        news="test",
        alerts=(),
        title=f"{project}: a test of the channel {name}",
        body="Alerts of Modelyard arrive here.",
        made=now,
        due=now,
    )
    return send(notice, channels, now=now)


def _sent(notice: Notice, channel: Any) -> bool:
    kind = "success" if notice.news == "resolved" else "info" if notice.news == "test" else None
    kind = kind or ("failure" if notice.severity == "critical" else "warning")
    return bool(channel.notify(title=notice.title, body=notice.body, notify_type=kind, timeout=_WAIT))
