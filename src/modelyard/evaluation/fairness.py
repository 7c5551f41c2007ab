"""How a two-class model treats the groups of a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import SettingsError
from modelyard.evaluation.cells import Cells
from modelyard.metrics import Answered
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.records.fairness import Fairness, Group, GroupGap, Rate
from modelyard.records.package import Label, Task

_RATES = ("selection", "tpr", "fpr", "ppv")
_Z = NormalDist().inv_cdf(0.975)


def treated(
    task: Task,
    truth: NDArray[Any],
    answers: Answered,
    classes: Sequence[Label],
    cells: Cells,
    *,
    min_rows: int,
) -> Fairness:
    """Rates of each group and the gaps between judged ones; ``SettingsError`` for other than two classes."""
    if task != "binary":
        raise SettingsError(f"'fairness.{cells.column}' is for two classes, and this is a {task} model.")
    positive = encode_truth(truth, classes) == 1
    said = encode_answers(answers.prediction, classes) == 1
    groups = []
    for cell, label in enumerate(cells.labels):
        rows = cells.codes == cell
        groups.append(
            Group(
                label=label,
                rows=int(rows.sum()),
                judged=bool(rows.sum() >= min_rows),
                selection=_rate(said, rows),
                tpr=_rate(said, rows & positive),
                fpr=_rate(said, rows & ~positive),
                ppv=_rate(positive, rows & said),
            )
        )
    gaps = (_gap(name, groups) for name in _RATES)
    return Fairness(column=cells.column, groups=tuple(groups), gaps=tuple(g for g in gaps if g is not None))


def _rate(hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> Rate:
    hits, rows = int((hit & among).sum()), int(among.sum())
    low, high = metrics.wilson(hits, rows)
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
