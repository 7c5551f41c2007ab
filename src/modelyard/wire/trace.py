"""W3C Trace Context: which trace a request belongs to."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(NamedTuple):
    """``trace`` (32 hexadecimal digits), ``parent`` (16), and whether the caller records it."""

    trace: str
    parent: str
    sampled: bool


def read(header: str | None) -> Trace | None:
    """The header ``traceparent``; None where there is none, or none that the recommendation allows."""
    found = _FORM.fullmatch(header or "")
    if found is None:
        return None
    version, trace, parent, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(parent, 16):
        return None
    return Trace(trace, parent, bool(int(flags, 16) & 1))
