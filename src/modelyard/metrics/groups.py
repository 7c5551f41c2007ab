"""Rates of groups of rows, and the gaps between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.bootstrap import wilson
from modelyard.records.fairness import Fairness, Group, GroupGap, Rate

_RATES = ("selection", "tpr", "fpr", "ppv")
_Z = NormalDist().inv_cdf(0.975)
Flags = NDArray[np.bool_]


def among(rate: str, said: Flags, positive: Flags) -> tuple[Flags, Flags]:
    """Of a rate what counts as a hit, and the rows that it is a share of: both [n]."""
    every = np.ones(len(said), dtype=bool)
    return {
        "selection": (said, every),
        "tpr": (said, positive),
        "fpr": (said, ~positive),
        "ppv": (positive, said),
    }[rate]


def by_group(
    column: str,
    labels: Sequence[str],
    codes: NDArray[np.intp],
    *,
    said: Flags,
    positive: Flags,
    min_rows: int,
) -> Fairness:
    """Rates of each group of the rows [n] and the gaps between judged ones; a code of no label is of no group."""
    each = {name: among(name, said, positive) for name in _RATES}
    groups = []
    for cell, label in enumerate(labels):
        rows = codes == cell
        rates = {name: _rate(hit, rows & of) for name, (hit, of) in each.items()}
        count = int(rows.sum())
        groups.append(Group(label=label, rows=count, judged=count >= min_rows, **rates))
    gaps = (_gap(name, groups) for name in _RATES)
    return Fairness(column=column, groups=tuple(groups), gaps=tuple(g for g in gaps if g is not None))


def _rate(hit: Flags, of: Flags) -> Rate:
    hits, rows = int((hit & of).sum()), int(of.sum())
    low, high = wilson(hits, rows)
    return Rate(hits=hits, rows=rows, low=low, high=high)


def _gap(name: str, groups: Sequence[Group]) -> GroupGap | None:
    told = [(g.label, rate) for g in groups if g.judged and (rate := getattr(g, name)).rows]
    if len(told) < 2:
        return None
    least = min(told, key=lambda one: one[1].value)
    most = max(told, key=lambda one: one[1].value)
    if least[1].value == most[1].value:
        least, most = told[0], told[1]
    a, b = most[1], least[1]
    gap = a.value - b.value
    # Newcombe (1998), method 10: from Wilson's intervals of both
    low = gap - math.hypot(a.value - a.low, b.high - b.value)
    high = gap + math.hypot(a.high - a.value, b.value - b.low)
    ratio = ratio_low = ratio_high = None
    if a.hits and b.hits:
        ratio = b.value / a.value
        # Katz, Baptista, Azen and Pike (1978): the logarithm is nearly normal
        reach = _Z * math.sqrt(1 / a.hits - 1 / a.rows + 1 / b.hits - 1 / b.rows)
        ratio_low, ratio_high = ratio * math.exp(-reach), ratio * math.exp(reach)
    return GroupGap(
        rate=name,
        least=least[0],
        most=most[0],
        gap=gap,
        low=low,
        high=high,
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
    )
