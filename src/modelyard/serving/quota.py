"""How many requests a token has left in an hour, a day or a month, whichever worker it asks."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import math
import mmap
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from modelyard.errors import StoreDown
from modelyard.records.service import Quota
from modelyard.wire.problem import Problem

_ROWS = 1 << 15
"""Tokens that are counted in one period."""
_COLUMNS = 64
"""Workers: each adds to its own cells, so that no count needs a lock."""
_PROBES = 64

Act = Callable[[Any], None]


class Counts:
    """The file: a row a token, with its key, and for each worker the period that it counted last and how many.

    What was counted outlives the service's processes. Workers that ask in the same moment may together give
    one request each too many.
    """

    def __init__(self, quota: Quota, slot: int, now: Callable[[], dt.datetime] | None = None) -> None:
        """Raises ``StoreDown`` when the file cannot be written."""
        self.quota = quota
        self._slot = slot % _COLUMNS
        self._now = now or (lambda: dt.datetime.now(dt.UTC))
        size = _ROWS * (1 + 2 * _COLUMNS) * 8
        try:
            self._file = os.open(quota.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(self._file).st_size != size:
                os.ftruncate(self._file, size)
            mapped = mmap.mmap(self._file, size)
        except OSError as error:
            raise StoreDown(f"The quotas in {quota.path} cannot be counted: {error.strerror}.") from None
        cells = np.frombuffer(mapped, dtype=np.int64).reshape(_ROWS, 1 + 2 * _COLUMNS)
        self._keys, self._periods, self._counts = (
            cells[:, 0],
            cells[:, 1 : 1 + _COLUMNS],
            cells[:, 1 + _COLUMNS :],
        )

    def counted(self, act: Act, who: str) -> Act:
        """The same, as often as that token may; then 429 until the next period begins."""
        key = _key(who)

        def take(slot: Any) -> None:
            now = self._now()
            period, following = spans(self.quota.per, now)
            if not self._take(key, period):
                wait = max(1, math.ceil((following - now).total_seconds()))
                raise Problem(
                    429,
                    f"{self.quota.requests} requests in this {self.quota.per} are used up: the next begins in {wait} s.",
                    code="quota_used_up",
                    headers=b"retry-after: %d\r\n" % wait,
                )
            act(slot)

        return take

    def used(self, who: str) -> int:
        """What a token has had in this period."""
        key = _key(who)
        period, _ = spans(self.quota.per, self._now())
        row = self._found(key)
        return 0 if row is None else int(self._counts[row][self._periods[row] == period].sum())

    def _take(self, key: int, period: int) -> bool:
        row = self._found(key)
        if row is None:
            row = self._claimed(key, period)
        periods, counts, mine = self._periods[row], self._counts[row], self._slot
        if int(counts[periods == period].sum()) >= self.quota.requests:
            return False
        if periods[mine] != period:
            counts[mine] = 0
            periods[mine] = period
        counts[mine] += 1
        return True

    def _found(self, key: int) -> int | None:
        at = key % _ROWS
        for step in range(_PROBES):
            if self._keys[(at + step) % _ROWS] == key:
                return (at + step) % _ROWS
        return None

    def _claimed(self, key: int, period: int) -> int:
        """A row for a token that is new: a free one, or one of which nothing was counted in this period."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            row = self._found(key)
            if row is not None:
                return row
            at = key % _ROWS
            for step in range(_PROBES):
                row = (at + step) % _ROWS
                if self._keys[row] == 0 or not (self._periods[row] == period).any():
                    self._counts[row] = self._periods[row] = 0
                    self._keys[row] = key
                    return row
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        raise Problem(503, "More tokens ask than quotas can be counted of: try later.", code="quota_full")

    def close(self) -> None:
        os.close(self._file)


def _key(who: str) -> int:
    """Never 0, which is a free row."""
    return int.from_bytes(hashlib.blake2b(who.encode(), digest_size=8).digest(), "little", signed=True) or 1


def spans(per: str, now: dt.datetime) -> tuple[int, dt.datetime]:
    """The number of a moment's period, and when the next begins; in UTC."""
    now = now.astimezone(dt.UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "hour":
        begun = now.replace(minute=0, second=0, microsecond=0)
        following = begun + dt.timedelta(hours=1)
    elif per == "day":
        begun, following = day, day + dt.timedelta(days=1)
    else:
        begun = day.replace(day=1)
        following = (begun + dt.timedelta(days=32)).replace(day=1)
    return int(begun.timestamp()), following
