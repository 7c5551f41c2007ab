"""Who may ask, from which pages, and how often."""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from modelyard.serving.bearers import Bearers, Refused
from modelyard.serving.quota import Counts
from modelyard.serving.sockets import is_loopback
from modelyard.wire.heads import Head
from modelyard.wire.problem import Problem

Act = Callable[[Any], None]


_BUCKETS = 10_000


class Who(NamedTuple):
    """A token's owner: ``name`` is what its requests are counted by, ``until`` (seconds since 1970) when it expires."""

    name: str
    until: float | None = None


ANYBODY = Who("")


class Admission:
    """The rules of one plan; ``rate`` is what one worker may answer to one token, requests a second."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        tokens: tuple[str, ...] = (),
        origins: tuple[str, ...] = (),
        rate: float | None = None,
        bearers: Bearers | None = None,
        quota: Counts | None = None,
    ) -> None:
        self.tokens = tokens
        self.bearers = bearers
        self._quota = quota
        self._origins = origins
        self._rate = rate
        self._now = now
        self._buckets: dict[str, Bucket] = {}

    @property
    def secured(self) -> bool:
        """Whether who asks needs a token."""
        return bool(self.tokens) or self.bearers is not None

    def admit(self, head: Head) -> Who:
        """Whose request it is; ``Problem`` 401 or 403."""
        if not self.secured:
            if head.headers.get("origin") not in self._origins:
                _refuse_other_sites(head)
            if head.method == "POST" and head.path.rstrip("/").endswith(_KEPT):
                _refuse_other_hosts(head)
            return ANYBODY
        scheme, _, token = head.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and token:
            digest = hashlib.sha256(token.encode("latin-1", "replace")).hexdigest()
            known = [hmac.compare_digest(digest, t) for t in self.tokens]
            if any(known):
                return Who(digest)
            if self.bearers is not None and token.count(".") == 2:
                return self._signed(self.bearers, token)
        raise Problem(
            401,
            "This service asks for a token: send the header 'Authorization: Bearer TOKEN'.",
            headers=b"www-authenticate: Bearer\r\n",
        )

    @staticmethod
    def _signed(bearers: Bearers, token: str) -> Who:
        try:
            subject, until = bearers.read(token)
        except Refused as refused:
            raise _expired(str(refused)) from None
        return Who(f"{bearers.settings.issuer}\0{subject}", until)

    def limited(self, act: Act, who: Who) -> Act:
        """The same, as often as whose request it is may; then 429."""
        if self._quota is not None:
            act = self._quota.counted(act, who.name)
        return act if self._rate is None else self._at_rate(act, who.name, self._rate)

    def _at_rate(self, act: Act, who: str, rate: float) -> Act:
        now = self._now
        if len(self._buckets) >= _BUCKETS:
            self._buckets = {name: b for name, b in self._buckets.items() if not b.full(now())}
        bucket = self._buckets.setdefault(who, Bucket(rate, now()))

        def counted(slot: Any) -> None:
            wait = bucket.take(now())
            if wait:
                raise Problem(
                    429,
                    f"These are more than {bucket.rate:g} requests a second: try again in {math.ceil(wait)} s.",
                    code="rate_limited",
                    headers=b"retry-after: %d\r\n" % math.ceil(wait),
                )
            act(slot)

        return counted

    def shared(self, head: Head) -> bytes:
        """The header lines that let a page of another site read the reply; none for pages that may not."""
        origin = head.headers.get("origin")
        if not self._origins:
            return b""
        if origin not in self._origins:
            return b"vary: origin\r\n"
        assert origin is not None
        lines = b"access-control-allow-origin: " + origin.encode("latin-1") + b"\r\nvary: origin\r\n"
        return lines + b"access-control-expose-headers: x-request-id, modelyard-request-id, retry-after\r\n"

    def asks_first(self, head: Head) -> bool:
        """Whether it is a browser's question if a page may ask (a preflight), which holds no token."""
        return (
            head.method == "OPTIONS"
            and head.headers.get("origin") in self._origins
            and "access-control-request-method" in head.headers
        )


MAY = (
    b"access-control-allow-methods: GET, HEAD, POST\r\n"
    b"access-control-allow-headers: authorization, content-type, accept, x-request-id, x-request-timeout\r\n"
    b"access-control-max-age: 600\r\n"
)
"""What a page may ask, beside ``shared``."""


_KEPT = "/feedback"
"""How the paths end whose requests change what is known here."""


class Bucket:
    """Requests that may be answered at once, filled at the rate; it holds a second's, and one at least."""

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._most = max(1.0, rate)
        self._left, self._at = self._most, now

    def full(self, now: float) -> bool:
        """Whether it is as good as a new one."""
        return self._left + (now - self._at) * self.rate >= self._most

    def take(self, now: float) -> float:
        """0, or the seconds until there is one."""
        self._left = min(self._most, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self.rate


def timely(act: Act, who: Who) -> Act:
    """The same, as long as who asks may, then 401: a head is remembered longer than a token may count."""
    until = who.until
    if until is None:
        return act

    def timed(slot: Any) -> None:
        if time.time() > until:
            raise _expired("the token has expired")
        act(slot)

    return timed


def _expired(reason: str) -> Problem:
    return Problem(
        401,
        f"This token does not count: {reason}; ask for another.",
        headers=b'www-authenticate: Bearer error="invalid_token"\r\n',
    )


def _refuse_other_hosts(head: Head) -> None:
    """What changes something is asked of this machine by its own name, so that no other name leads here."""
    host = head.headers.get("host") or ""
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    if not is_loopback(name.strip("[]")):
        raise Problem(
            403, f"{head.path} changes what is kept: ask 127.0.0.1 itself, or give the service a token."
        )


def _refuse_other_sites(head: Head) -> None:
    """Any web page can post to 127.0.0.1: without a token, only pages of this service may.

    A name that is not loopback's may be made to lead here by whoever owns it, so it is no page of ours.
    """
    origin = head.headers.get("origin")
    if origin is not None and head.method == "POST":
        site = origin.partition("://")[2]
        name = site.rpartition(":")[0] if ":" in site.rpartition("]")[2] else site
        if site != head.headers.get("host") or not is_loopback(name.strip("[]")):
            raise Problem(403, f"A page of {origin[:80]} may not post here: give the service a token.")
