"""False alarms and delay of the judgement on live quality, beside two rules in common use.

    python benchmarks/monitoring/live.py [--courses 300] [--write docs/quality-power.md]

A course is 100 windows, each looked at once; quality changes after 50 of them, or never. Seeded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.monitoring.betting import stake
from modelyard.monitoring.terms import Judged, terms

WINDOWS, CHANGE, REFERENCE = 100, 50, 10
RULES = ("Modelyard", "95 % interval of each window", "mean ± 3 sd of ten reference windows")
Make = Callable[[np.random.Generator, int], tuple[Any, Any, Any]]
Alarms = NDArray[np.bool_]


def labels(accuracy: float) -> Make:
    def make(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
        truth = rng.integers(0, 2, n)
        said = np.where(rng.random(n) < accuracy, truth, 1 - truth)
        chance = np.where(said == 1, 0.9, 0.1)
        return truth, said, np.stack([1 - chance, chance], axis=1)

    return make


def scores(area: float) -> Make:
    apart = NormalDist().inv_cdf(area) * 2**0.5

    def make(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
        truth = rng.integers(0, 2, n)
        chance = 1 / (1 + np.exp(-rng.normal(size=n) - apart * truth))
        return truth, (chance > 0.5).astype(int), np.stack([1 - chance, chance], axis=1)

    return make


def numbers(mean: float) -> Make:
    scale = mean / (2 * 3**0.5 / np.pi)
    return lambda rng, n: (rng.standard_t(3, n) * scale, np.zeros(n), None)


CASES: tuple[tuple[str, float, Callable[[float], Make], float, float], ...] = (
    ("accuracy", 0.95, labels, 0.97, 0.90),
    ("accuracy", 0.80, labels, 0.83, 0.75),
    ("roc_auc", 0.90, scores, 0.93, 0.85),
    ("mae", 1.0, numbers, 0.9, 1.2),
)
"""Metric, bound, what makes answers of that quality, and the quality before and after the change."""


def course(rng: np.random.Generator, make: list[Make], n: int) -> Judged:
    parts = [each(rng, n) for each in make]
    truth, said, chance = (
        None if parts[0][k] is None else np.concatenate([p[k] for p in parts]) for k in range(3)
    )
    window = np.repeat(np.arange(len(make)), n)
    task: Any = "regression" if chance is None else "binary"
    return Judged(task, 0 if chance is None else 2, truth, said, chance, window)


def value(metric: str, rows: Judged) -> float:
    known = () if rows.task == "regression" else (0, 1)
    return metrics.value(metric, rows.task, rows.truth, rows.prediction, rows.probability, known)


def by_stake(metric: str, bound: float, rows: Judged) -> Alarms:
    found = terms(metric, bound, rows)
    assert found is not None
    seen = [found.window <= w for w in range(WINDOWS)]
    return np.array([stake(found.values[s], found.window[s]).p <= 0.05 for s in seen])


def by_interval(metric: str, bound: float, rows: Judged, n: int) -> Alarms:
    """The two-sided 95 % interval of one window lies beyond the bound."""
    better = metrics.higher_is_better(metric)
    alarms = []
    for w in range(WINDOWS):
        here = rows.take(np.arange(w * n, (w + 1) * n))
        if metric == "accuracy":
            low, high = metrics.wilson(int((here.truth == here.prediction).sum()), n)
        elif metric == "roc_auc":
            assert here.probability is not None
            area, covariance = metrics.delong(here.truth == 1, here.probability[None, :, -1])
            low, high = metrics.interval(float(area[0]), float(covariance[0, 0]) ** 0.5)
        else:
            error = np.abs(here.truth - here.prediction)  # type: ignore[operator]
            low, high = metrics.interval(float(error.mean()), float(error.std(ddof=1)) / n**0.5)
        alarms.append(high < bound if better else low > bound)
    return np.array(alarms)


def by_chunks(metric: str, rows: Judged, reference: Judged, n: int) -> Alarms:
    before = [value(metric, reference.take(np.arange(w * n, (w + 1) * n))) for w in range(REFERENCE)]
    middle, spread = float(np.mean(before)), 3 * float(np.std(before))
    after = np.array([value(metric, rows.take(np.arange(w * n, (w + 1) * n))) for w in range(WINDOWS)])
    return after < middle - spread if metrics.higher_is_better(metric) else after > middle + spread


def tried(case: Any, n: int, courses: int, seed: int) -> list[str]:
    """A row of the table for each rule."""
    metric, bound, make, good, bad = case
    rng = np.random.default_rng([seed, n])
    false = np.zeros((len(RULES), 2))
    delays: list[list[int]] = [[] for _ in RULES]
    early = np.zeros(len(RULES))
    for _ in range(courses):
        for at, quality in enumerate((bound, good)):
            reference = course(rng, [make(quality)] * REFERENCE, n)
            rows = course(rng, [make(quality)] * WINDOWS, n)
            for rule, alarms in enumerate(_alarms(metric, bound, rows, reference, n)):
                false[rule, at] += alarms.any()
        reference = course(rng, [make(good)] * REFERENCE, n)
        rows = course(rng, [make(good)] * CHANGE + [make(bad)] * (WINDOWS - CHANGE), n)
        for rule, alarms in enumerate(_alarms(metric, bound, rows, reference, n)):
            first = int(alarms.argmax()) if alarms.any() else None
            if first is not None and first < CHANGE:
                early[rule] += 1
            elif first is not None:
                delays[rule].append(first - CHANGE + 1)
    lines = []
    for rule, name in enumerate(RULES):
        found = len(delays[rule]) / courses
        median = f"{np.median(delays[rule]):.0f}" if delays[rule] else ""
        at_bound = f"{100 * false[rule, 0] / courses:.0f} %" if rule < 2 else ""
        lines.append(
            f"| {metric} {'≥' if metrics.higher_is_better(metric) else '≤'} {bound:g} | {n} | {name} | {at_bound} | "
            f"{100 * false[rule, 1] / courses:.0f} % | {100 * early[rule] / courses:.0f} % | {100 * found:.0f} % | {median} |"
        )
    return lines


def _alarms(metric: str, bound: float, rows: Judged, reference: Judged, n: int) -> list[Alarms]:
    return [
        by_stake(metric, bound, rows),
        by_interval(metric, bound, rows, n),
        by_chunks(metric, rows, reference, n),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--courses", type=int, default=300, help="for each figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="also write the page here")
    options = parser.parse_args()
    rows = [
        line for case in CASES for n in (50, 200) for line in tried(case, n, options.courses, options.seed)
    ]
    page = _PAGE.format(
        courses=options.courses,
        seed=options.seed,
        changes="; ".join(f"{m} from {good:g} to {bad:g}" for m, _, _, good, bad in CASES),
        rows="\n".join(rows),
    )
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


_PAGE = """# Live quality: how often an alarm is false, and how soon a true one comes

Measured, not promised: made by `python benchmarks/monitoring/live.py --courses {courses} --write docs/quality-power.md` (seed {seed}).
A course is 100 windows of so many outcomes, each looked at once, and a figure is the share of {courses} courses; its standard error is at most
3.6 points. An alarm is false where quality is no worse than its bound in all windows: just at the bound, or as good as before the change. In the last
three columns quality changes after 50 windows ({changes}): alarms before that, alarms after it, and
after how many windows in the median.

| bound | outcomes a window | rule | false, at the bound | false, well within | too early | found | after windows |
|---|---:|---|---:|---:|---:|---:|---:|
{rows}

The interval of each window is Wilson's, DeLong's or the normal one, held against the same bound. Ten reference windows are of the quality before the
change; that rule has no bound, so the first figure does not apply to it. Both find a change sooner; how often they alarm without one stands before.
"""


if __name__ == "__main__":
    main()
