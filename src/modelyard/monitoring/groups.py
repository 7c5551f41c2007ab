"""Whether a version treats groups alike, by what it answered and what is known to be true."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.gates import RATES, WORDS
from modelyard.monitoring.betting import Stake, stake
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.peopled import Peopled
from modelyard.monitoring.pvalues import correct
from modelyard.monitoring.terms import Rated, apart
from modelyard.records.fairness import Fairness, Group, GroupGap
from modelyard.records.finding import Finding

_NAMED = 6
_AMONG = {"selection": "", "tpr": "positives", "fpr": "negatives", "ppv": "positive answers"}


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """One ordered pair of groups held against one bound."""

    column: str
    rate: str
    pair: tuple[str, str]
    held: Stake
    rows: int


def fairness(evidence: Evidence) -> Iterator[Finding]:
    """Each bound on a gap or ratio of groups, tried on all rows since the version first answered.

    How many tests there are is fixed by the groups of the training data, so a group that grows costs no guarantee.
    """
    tried = [
        one
        for groups in evidence.groups
        for rate in RATES[groups.rule.metric]
        for one in _tries(groups, rate)
    ]
    total = sum(_count(groups) for groups in evidence.groups)
    p_values = [one.held.p for one in tried] + [1.0] * (total - len(tried))
    decided = list(zip(tried, correct(p_values, "holm"), strict=False))
    for groups in evidence.groups:
        for rate in RATES[groups.rule.metric]:
            own = [(one, p) for one, p in decided if (one.column, one.rate) == (groups.rule.by, rate)]
            yield _told(evidence, groups, rate, min(own, key=lambda each: each[0].held.p, default=None))


def _count(groups: Peopled) -> int:
    bounds = sum(bound is not None for bound in (groups.rule.max_gap, groups.rule.min_ratio))
    return len(RATES[groups.rule.metric]) * bounds * len(groups.labels) * (len(groups.labels) - 1)


def _tries(groups: Peopled, rate: str) -> Iterator[_Tried]:
    hit, of = metrics.among(rate, groups.said, groups.positive)
    rated = Rated(hit[of], groups.codes[of], groups.window[of])
    sizes = [int((rated.group == k).sum()) for k in range(len(groups.labels))]
    enough = [k for k, size in enumerate(sizes) if size >= groups.min_rows]
    rule = groups.rule
    for a, b in permutations(enough, 2):
        bounds = ((rule.max_gap, 0.0), (None, rule.min_ratio))
        for max_gap, min_ratio in bounds:
            if max_gap is None and not min_ratio:
                continue
            found = apart(rated, (a, b), max_gap=max_gap, min_ratio=min_ratio or 0.0)
            yield _Tried(
                column=rule.by,
                rate=rate,
                pair=(groups.labels[a], groups.labels[b]),
                held=stake(found.values, found.window),
                rows=sizes[a] + sizes[b],
            )


def _told(evidence: Evidence, groups: Peopled, rate: str, worst: tuple[_Tried, float] | None) -> Finding:
    what = f"{WORDS[rate]} by {groups.rule.by}"
    if groups.why:
        return _finding(groups, rate, sentence=f"the {what} is not watched: {groups.why}")
    here = np.flatnonzero(groups.at.is_between(evidence.start, evidence.end, closed="left").to_numpy())
    found, when = _rates(groups, rate, here), "in this window"
    if found.gap(rate) is None:
        found, when = _rates(groups, rate, np.arange(len(groups.codes))), "so far"
    known = [g for g in found.groups if g.judged]
    few = [f"{g.label} ({g.rows})" for g in found.groups if not g.judged]
    small = f"; too few to tell: {_some(few)}" if few else ""
    rows = sum(g.rows for g in found.groups)
    gap = found.gap(rate)
    if gap is None:
        sentence = f"the {what} is told for fewer than two groups of {groups.min_rows} rows{small}"
        return _finding(groups, rate, rows=rows, sentence=sentence)
    alert = worst is not None and worst[1] <= evidence.settings.alpha
    said = f"the {what} is {_some([_share(g, rate) for g in known])} {when}{small}; {_bounded(groups, gap)}"
    return _finding(
        groups,
        rate,
        rows=rows,
        gap=gap,
        p=None if worst is None else (worst[0].held.p, worst[1]),
        alert=alert,
        sentence=f"{said}: {_verdict(groups, worst, alert)}",
    )


def _rates(groups: Peopled, rate: str, rows: NDArray[np.intp]) -> Fairness:
    """Of those rows, each group counted by the rows that the rate is a share of."""
    some = groups.take(rows)
    _, of = metrics.among(rate, some.said, some.positive)
    some = some.take(np.flatnonzero(of))
    return metrics.by_group(
        groups.rule.by,
        groups.labels,
        some.codes,
        said=some.said,
        positive=some.positive,
        min_rows=groups.min_rows,
    )


def _share(group: Group, rate: str) -> str:
    found = getattr(group, rate)
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g}) of {found.rows} where {group.label}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _bounded(groups: Peopled, gap: GroupGap) -> str:
    said = []
    if groups.rule.max_gap is not None:
        said.append(
            f"the gap is {gap.gap:.3g} ({gap.low:.3g} to {gap.high:.3g}), at most {groups.rule.max_gap:g}"
        )
    if groups.rule.min_ratio is not None:
        ratio = (
            "not to be told"
            if gap.ratio is None
            else f"{gap.ratio:.3g} ({gap.ratio_low:.3g} to {gap.ratio_high:.3g})"
        )
        said.append(f"the ratio is {ratio}, at least {groups.rule.min_ratio:g}")
    return f"{' and '.join(said)} is allowed between {gap.most} and {gap.least}"


def _verdict(groups: Peopled, worst: tuple[_Tried, float] | None, alert: bool) -> str:
    if worst is None:
        return "too few rows to decide"
    one, p = worst
    by = (
        f"by {one.rows} rows where {one.pair[0]} or {one.pair[1]} and however often it is asked (p = {p:.2g})"
    )
    if not alert:
        return f"nothing shows that it is beyond that, {by}"
    begun = groups.at.filter(pl.Series(groups.window >= one.held.since)).min()
    assert isinstance(begun, dt.datetime)
    return f"it is beyond that, {by}, most likely since {begun:%Y-%m-%d %H:%M}"


def _finding(
    groups: Peopled,
    rate: str,
    *,
    sentence: str,
    rows: int = 0,
    gap: GroupGap | None = None,
    p: tuple[float, float] | None = None,
    alert: bool = False,
) -> Finding:
    rule = groups.rule
    value, interval, effect, statistic = 0.0, None, 0.0, f"{rate}_gap"
    if gap is not None and rule.max_gap is not None:
        value, interval, effect = gap.gap, (gap.low, gap.high), gap.gap - rule.max_gap
    elif gap is not None and rule.min_ratio is not None:
        statistic = f"{rate}_ratio"
        if gap.ratio is not None and gap.ratio_low is not None and gap.ratio_high is not None:
            value, interval = gap.ratio, (gap.ratio_low, gap.ratio_high)
        effect = rule.min_ratio - value
    return Finding(
        kind="fairness",
        column=rule.by,
        statistic=statistic,
        value=value,
        p_value=p and p[0],
        p_corrected=p and p[1],
        effect=effect,
        effect_name="beyond",
        reference_rows=0,
        window_rows=rows,
        alert=alert,
        sentence=sentence,
        slice=_AMONG[rate],
        interval=interval,
    )
