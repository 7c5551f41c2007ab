"""The audit chain's links."""

from __future__ import annotations

import datetime as dt

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One governance event; ``prev`` is the sha256 of the canonical bytes of the one before.

    The chained record is ``{seq, ts, actor, action, object, payload_sha256, prev}``; the payload
    holds strings and integers only.
    """

    seq: int
    ts: dt.datetime
    actor: str
    action: str
    """``dataset.ingested``, ``version.registered``, ``release.live``, ..."""
    object: str
    payload: dict[str, str | int]
    payload_sha256: str
    prev: str

    @property
    def verified(self) -> bool:
        """Whether a token proved who the actor is; its id stands in the payload as ``token``."""
        return "token" in self.payload


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to look for; what is empty does not matter."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    """Before this time."""
    actor: str = ""
    action: str = ""
    """Or its first part: ``release`` is ``release.wanted``, ``release.live``, ..."""
    object: str = ""
    """Or its name: ``screening`` is ``screening@1``, ``screening@2``, ..."""
