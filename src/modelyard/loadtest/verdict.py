"""Whether a level met what was promised, and what a larger load would take."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from modelyard.errors import Misuse
from modelyard.loadtest.histogram import mean, percentile
from modelyard.records.load import Estimate, Figures, Level, Loaded, Promise, Second, Verdict

_FORM = re.compile(r"(p\d{1,2}(?:\.\d+)?|max|mean|errors|rate)\s*(<=|>=|=|<|>)\s*([0-9.]+)\s*(us|ms|s|%|/s)?")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "%": 0.01, "/s": 1.0, None: 1.0}
_HEADROOM = 0.7
"""Of what a replica can do, what it is planned for: queues grow without end near the whole."""


def parse(text: str) -> Promise:
    """``p99=50ms``, ``p99.9<200ms``, ``errors=0.1%``, ``rate>500``; ``Misuse`` for anything else."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise Misuse(f"'{text}' is no promise; write such as p99=50ms, errors=0.1% or rate=500.")
    what, sign, number, unit = found.groups()
    wanted = {"errors": (None, "%"), "rate": (None, "/s")}.get(what, ("us", "ms", "s"))
    if unit not in wanted:
        units = " or ".join(repr(u) for u in wanted if u) or "no unit"
        raise Misuse(f"'{text}' has no fitting unit; {what} is told in {units}.")
    if (sign in (">", ">=")) != (what == "rate") and sign != "=":
        raise Misuse(f"'{text}' asks for the worse side; write it as {what}={number}{unit or ''}.")
    try:
        limit = float(number) * _UNITS[unit]
    except ValueError:
        raise Misuse(f"'{text}' holds {number}, which is no number.") from None
    return Promise(what=what, limit=limit, text=text.strip())


def measured(level: Level, what: str) -> float | None:
    """Latencies in seconds, ``errors`` as a share, ``rate`` in answers a second."""
    if what == "errors":
        return level.failed
    if what == "rate":
        return level.rate
    if what == "mean":
        return mean(level.latencies)
    share = 1.0 if what == "max" else float(what[1:]) / 100
    return percentile(level.latencies, share, among=level.asked)


def judge(level: Level, promises: Sequence[Promise]) -> tuple[Verdict, ...]:
    """Each promise held against the level; a request that was never answered is slower than any that was."""
    found = []
    for promise in promises:
        value = measured(level, promise.what)
        worse = value is None or (value < promise.limit if promise.what == "rate" else value > promise.limit)
        found.append(
            Verdict(promise=promise.text, value=value, shown=_shown(promise.what, value), met=not worse)
        )
    return tuple(found)


def of_each(promises: Sequence[Promise]) -> list[Promise]:
    """Those that a replica keeps or breaks by itself; a rate is of the whole."""
    return [promise for promise in promises if promise.what != "rate"]


def estimate(
    loaded: Loaded, promises: Sequence[Promise], *, target: float, cost: float | None = None
) -> Estimate | None:
    """Replicas for ``target`` requests a second, each at most 70 % loaded; None when no level met the promises.

    ``cost`` is an hour of one replica. The rules on ``rate`` do not count: they are of the whole.
    """
    asked = of_each(promises)
    good = [level for level in loaded.levels if level.answered and all(v.met for v in judge(level, asked))]
    if not good:
        return None
    best = max(good, key=lambda level: level.rate)
    replicas = max(1, math.ceil(target / (best.rate * _HEADROOM)))
    return Estimate(
        capacity=best.rate,
        target=target,
        replicas=replicas,
        cost=None if cost is None else replicas * cost,
        at_least=best is loaded.levels[-1],
    )


def figures(one: Level | Second, promises: Sequence[Promise] = (), *, cores: float | None = None) -> Figures:
    """What a level or a second saw, in figures; a level with those promises that are of each answer."""
    counts, asked = one.latencies, one.asked

    def within(share: float) -> float | None:
        return percentile(counts, share, among=asked) if asked else None

    return Figures(
        level=one.level if isinstance(one, Level) else one.at,
        rate=one.rate if isinstance(one, Level) else one.answered,
        answered=one.answered,
        failed=one.failed,
        p50=within(0.5),
        p90=within(0.9),
        p99=within(0.99),
        p999=within(0.999),
        slowest=within(1.0),
        errors=one.errors if isinstance(one, Level) else {},
        verdicts=judge(one, of_each(promises)) if isinstance(one, Level) else (),
        cores=cores,
    )


def spread(level: Level) -> tuple[tuple[float, float], ...]:
    """Shares of the requests, closer and closer to all, and the seconds within which they were answered."""
    found = []
    for at in range(41):
        share = 1 - 10 ** (-at / 10)
        value = percentile(level.latencies, share, among=level.asked) if at else None
        if value is not None and (1 - share) * level.asked >= 1:
            found.append((share, value))
    return tuple(found)


def _shown(what: str, value: float | None) -> str:
    if value is None:
        return "not answered"
    if what == "errors":
        return f"{value:.3%}"
    if what == "rate":
        return f"{value:,.0f}/s"
    return f"{1e3 * value:,.0f} ms" if value >= 0.1 else f"{1e3 * value:.3g} ms"
