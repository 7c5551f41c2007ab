"""Lengths of time as settings write them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Meta

SPAN = r"[1-9][0-9]{0,5}[smh]|[1-9][0-9]{0,4}d"
"""At most some 270 years, so that any moment less one is a moment still."""
Span = Annotated[str, Meta(pattern=rf"^({SPAN})$")]
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: str) -> dt.timedelta:
    """``90s``, ``30m``, ``12h`` or ``7d`` as a length of time; whoever read the text has checked its form.

    Raises ``OverflowError`` for more days than a length of time may have.
    """
    return dt.timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
