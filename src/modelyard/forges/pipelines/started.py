"""What a forge started lately, and whether one of it is what was asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from modelyard.errors import ForgeDown

_CLOCKS = dt.timedelta(minutes=5)
"""By so much the forge's clock may be behind ours."""


class Started(msgspec.Struct, frozen=True):
    created: str
    mark: str | None
    """The operation it was started for; None where the forge does not tell, empty where it was none."""
    address: str


def found(lately: Iterable[Started], mark: str, asked: dt.datetime) -> str | None:
    """The one with the mark; else one of which the forge does not tell, since two are worse than none."""
    silent = ""
    for one in lately:
        if one.mark == mark:
            return one.address
        if one.mark is None and _moment(one.created) >= asked - _CLOCKS:
            silent = one.address
    return silent or None


def told(name: str, reply: Any, *keys: str) -> Any:
    """What stands in an answer below these keys."""
    for key in keys:
        if not isinstance(reply, dict) or key not in reply:
            raise ForgeDown(f"{name} answered without '{key}'; is the address its API's?")
        reply = reply[key]
    return reply


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
