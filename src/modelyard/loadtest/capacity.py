"""From a load test to what a larger load takes."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from modelyard.errors import Misuse
from modelyard.records.capacity import Capacity, Wish
from modelyard.records.load import Figures, LoadTest

_STEP = 64
"""MiB that a replica's memory is rounded up to."""
_SLACK = 1.25
"""Of memory, beyond what was held."""
_DAY = 86_400


def capacity(test: LoadTest, wish: Wish) -> Capacity:
    """Replicas, cores, memory and log for a load that is answered within the promises of ``test``.

    So many replicas that none is planned for more than the share ``wish.filled`` of what it sustains, and that they keep
    the promises with ``wish.spare`` of them missing. Raises ``Misuse`` for a test that promised nothing of its answers.
    """
    if not any(level.verdicts for level in test.levels):
        raise Misuse(
            f"The load test of {test.target} promised nothing of its answers, so that any number of replicas would do; "
            "run it again with --slo, such as --slo p99=50ms --slo errors=0.1%."
        )
    good = [level for level in test.levels if level.answered and all(v.met for v in level.verdicts)]
    best = max(good, key=lambda level: level.rate) if good else test.levels[0]
    found = Capacity(
        target=test.target,
        tested=test.at,
        rows=test.rows,
        wish=wish,
        sustained=best.rate if good else None,
        at_least=bool(good) and best is test.levels[-1],
        verdicts=best.verdicts,
        doubtful=test.doubtful,
    )
    return _priced(_sized(found, test, best)) if good else found


def _sized(found: Capacity, test: LoadTest, best: Figures) -> Capacity:
    wish, each = found.wish, best.rate
    replicas = max(math.ceil(wish.rate / (each * wish.filled)), math.ceil(wish.rate / each) + wish.spare)
    cores = None if best.cores is None else max(1, math.ceil(best.cores * 10 - 1e-9)) / 10
    memory = math.ceil(test.memory_mb * _SLACK / _STEP) * _STEP if test.memory_mb else None
    log = test.log_bytes
    above = [level for level in test.levels if level.answered and level.rate >= wish.rate / replicas]
    return msgspec.structs.replace(
        found,
        replicas=replicas,
        filled=wish.rate / (each * replicas),
        filled_without=wish.rate / (each * (replicas - wish.spare)),
        peak=min(above, key=lambda level: level.rate),
        cores_each=cores,
        memory_each=memory,
        cores=None if cores is None else round(cores * replicas, 1),
        memory=None if memory is None else memory * replicas / 1024,
        log_bytes=log,
        log_a_day=None if log is None else log * wish.mean * _DAY / 2**30,
    )


def _priced(found: Capacity) -> Capacity:
    prices = found.wish.prices
    running = {
        "replicas": (prices.replica, found.replicas),
        "cores": (prices.core, found.cores),
        "memory": (prices.memory, found.memory),
    }
    kept = {"the prediction log": (prices.log, found.log_a_day)}
    every = running | kept
    return msgspec.structs.replace(
        found,
        hourly=_sum(running.values()),
        daily_log=_sum(kept.values()),
        unpriced=tuple(
            name for name, (price, amount) in every.items() if price is not None and amount is None
        ),
    )


def _sum(parts: Iterable[tuple[float | None, float | None]]) -> float | None:
    known = [price * amount for price, amount in parts if price is not None and amount is not None]
    return sum(known) if known else None
