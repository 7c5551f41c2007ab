"""From which row on a stream is otherwise than it may be, row by row and with a stated budget of false alarms.

Somebody bets at fair odds, as in ``betting``, and begins a new bet of 1 with every row; all that is won stays in. As long as the mean
of the terms is no more than 0, the sum of all stakes grows by 1 a row on average, whatever else is true of them, so it reaches N
after N rows or more on average, and among n rows at most n/N times (the e-detector of Shin, Ramdas and Rinaldo 2023, by
Shiryaev's and Roberts' rule). It begins anew after each alarm. How soon it sees a change, beside others at the
same budget, is measured in ``benchmarks/monitoring/streams.py``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.hindsight import Hindsight
from modelyard.monitoring.terms import terms
from modelyard.records.finding import Finding, FindingKind
from modelyard.records.profile import ColumnProfile
from modelyard.tables.profile import PREDICTION, PROBABILITY, shown

Floats = NDArray[np.float64]
RATES = np.geomspace(0.003, 0.7, 8)
_BLOCK = 128
_LARGEST = 1 << 15
_ERRORS = 3.0
"""Standard errors of the reference's own mean that a score's mean may be off."""
_UNIFORM = 1 / math.sqrt(12)


@dataclass(frozen=True)
class Alarm:
    """``at`` is the place of the row that raised it, ``since`` that of the row from which on the bets paid best."""

    at: int
    since: int


def alarms(terms: Floats, budget: float) -> list[Alarm]:
    """Where the stream of ``terms`` [n], each at least -1, is above 0 on average; of streams that are not, at most one
    alarm in ``budget`` terms.

    The first rows' alarms do not depend on later rows, so a stream that has grown is looked at anew without any of them changing.
    """
    found: list[Alarm] = []
    limit = math.log(budget) + math.log(len(RATES))
    start = at = 0
    carried = np.full((len(RATES), 1), -np.inf)
    size = _BLOCK
    while at < len(terms):
        block = terms[at : at + size]
        stakes = _stakes(block, carried)
        over = np.flatnonzero(np.logaddexp.reduce(stakes, axis=0) >= limit)
        if len(over):
            last = at + int(over[0])
            found.append(Alarm(last, start + _since(terms[start : last + 1])))
            start = at = last + 1
            carried, size = np.full((len(RATES), 1), -np.inf), _BLOCK
        else:
            carried, at, size = stakes[:, -1:], at + len(block), min(2 * size, _LARGEST)
    return found


def _stakes(block: Floats, carried: Floats) -> Floats:
    """The logarithm of all stakes [rate, row] where there were ``carried`` before."""
    grown = np.log1p(RATES[:, None] * block).cumsum(axis=1)
    before = np.concatenate([np.zeros((len(RATES), 1)), grown[:, :-1]], axis=1)
    began = np.logaddexp.accumulate(-before, axis=1)
    stakes: Floats = grown + np.logaddexp(carried, began)
    return stakes


def _since(block: Floats) -> int:
    """The row from which on a bet to the end paid best."""
    gains = np.log1p(RATES[:, None] * block)[:, ::-1].cumsum(axis=1)[:, ::-1]
    return int(gains.max(axis=0).argmax())


def errors_stream(evidence: Evidence) -> Iterator[Finding]:
    """Errors, outcome by outcome in the order in which they came to be known since the version first answered.

    An alarm is of the first window that ends after it; ``Evidence.history`` says which time windows before looked at.
    """
    known, budget = evidence.hindsight, evidence.settings.stream
    if budget is None or known is None or known.errors is None:
        return
    told = terms(known.errors.metric, known.errors.value, known.judged)
    if told is None or not len(told.values):
        return
    arrived = known.rows["arrived"]
    here = _between(arrived, _looked_until(evidence), evidence.end)
    every = alarms(told.values[: here.stop], budget)
    new = [alarm for alarm in every if alarm.at in here]
    what = "errors" if known.errors.metric == "accuracy" else "absolute errors"
    wrong = 1 - known.errors.value if known.errors.metric == "accuracy" else known.errors.value
    of_these = new[-1] if new else None
    looked = range(of_these.since, here.stop) if of_these else here
    loss = _loss(known)
    value = float(loss[looked.start : looked.stop].mean()) if len(looked) else 0.0
    said = f"{what} are {value:.3g} on average over {len(looked)} outcomes, at most {wrong:.3g} is expected ({known.errors.reason})"
    begun = f", since {arrived[of_these.since]:%Y-%m-%d %H:%M}" if of_these else ""
    yield _finding(
        ("live_quality", known.manifest.schema.target or "", f"mean_{what.replace(' ', '_')}"),
        (value, value - wrong),
        rows=len(looked),
        alert=bool(new),
        sentence=f"{said}: {_verdict(len(new), budget, 'outcomes')}{begun}",
    )


def scores_stream(evidence: Evidence) -> Iterator[Finding]:
    """What the model says, row by row in the order of time within the window: its rank among the answers to the test
    split, upwards and downwards, with half of the budget each."""
    budget = evidence.settings.stream
    ranked = None if budget is None else _ranked(evidence)
    if budget is None or ranked is None:
        return
    name, ranks, reference = ranked
    room = min(_ERRORS * _UNIFORM / math.sqrt(reference), 0.25)
    found = [
        (alarm, way)
        for way, sign in (("up", 1.0), ("down", -1.0))
        for alarm in alarms((sign * (ranks - 0.5) - room) / (0.5 + room), 2 * budget)
    ]
    last = max(found, key=lambda each: each[0].at, default=None)
    looked = ranks if last is None else ranks[last[0].since :]
    value = float(looked.mean())
    begun = "" if last is None else f"; it went {last[1]} since {_at(evidence, last[0].since)}"
    yield _finding(
        ("prediction_drift", name, "mean_rank"),
        (value, abs(value - 0.5)),
        rows=len(looked),
        alert=bool(found),
        sentence=f"{name} ranks at {value:.3g} on average among the answers to the test split over {len(looked)} rows, "
        f"{0.5 - room:.3g} to {0.5 + room:.3g} is expected: {_verdict(len(found), budget, 'rows')}{begun}",
    )


def _at(evidence: Evidence, place: int) -> str:
    moment = evidence.rows["at"][place]
    assert isinstance(moment, dt.datetime)
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _looked_until(evidence: Evidence) -> dt.datetime:
    """Up to when earlier windows of the version told alarms."""
    before = [w.end for w in evidence.history if w.version == evidence.version and w.end <= evidence.start]
    return min(evidence.start, max(before)) if before else dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _between(moments: pl.Series, start: dt.datetime, end: dt.datetime) -> range:
    """Places of those that are in that time, of ascending moments."""
    low, high = (int(moments.search_sorted(moment, side="left")) for moment in (start, end))
    return range(low, high)


def _loss(known: Hindsight) -> Floats:
    judged = known.judged
    if judged.task == "regression":
        found: Floats = np.abs(judged.truth.astype(np.float64) - judged.prediction.astype(np.float64))
    else:
        found = np.asarray(judged.truth != judged.prediction, dtype=np.float64)
    return found


def _verdict(count: int, budget: float, rows: str) -> str:
    of = f"by a detector that raises at most one false alarm in {budget:,.0f} {rows}"
    return f"{count} alarm{'s' if count > 1 else ''}, {of}" if count else f"no alarm, {of}"


def _ranked(evidence: Evidence) -> tuple[str, Floats, int] | None:
    """The name of the score, each row's rank from 0 to 1, and how many rows it is a rank among."""
    columns = {c.name: c for c in evidence.answers.columns if c.kind == "float"}
    seen = evidence.seen()
    if not len(seen) or seen.prediction is None:
        return None
    values = None
    if PROBABILITY in columns and seen.probability is not None:
        name, values = PROBABILITY, shown(seen.probability)
    elif PREDICTION in columns:
        name, values = PREDICTION, np.asarray(seen.prediction, dtype=np.float64)
    if values is None or not sum(columns[name].counts):
        return None
    return name, _ranks(columns[name], values), sum(columns[name].counts)


def _ranks(reference: ColumnProfile, values: Floats) -> Floats:
    """The middle of the share of the reference that each value's bin takes; a value that is none has the middle of all."""
    counts = np.array(reference.counts, dtype=np.float64)
    middle = (counts.cumsum() - counts / 2) / counts.sum()
    found: Floats = middle[np.searchsorted(np.array(reference.edges), values, side="left")]
    return np.where(np.isnan(values), 0.5, found)


def _finding(
    key: tuple[FindingKind, str, str],
    figures: tuple[float, float],
    *,
    rows: int,
    alert: bool,
    sentence: str,
) -> Finding:
    kind, column, statistic = key
    value, beyond = (figure if math.isfinite(figure) else 0.0 for figure in figures)
    return Finding(
        kind=kind,
        column=column,
        slice="stream",
        statistic=statistic,
        value=value,
        p_value=None,
        p_corrected=None,
        effect=beyond,
        effect_name="beyond",
        reference_rows=0,
        window_rows=rows,
        alert=alert,
        sentence=sentence,
    )
