"""Scores of quantiles: numbers that a share of the truths is to lie at or below.

Arguments throughout: ``truth`` float [n] in the target's unit; ``given`` float [n, k], a number for each of the
rising ``levels`` [k] in (0, 1). The interval is from the lowest level to the highest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.binary import Bools, Floats, sums

OF_ALL = ("pinball", "coverage", "coverage_error", "interval_width", "crossing")
OF_LEVELS = ("pinball", "below")
"""With a level behind it, as ``pinball_p5``."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """What a model gave: ``values`` [n, k]."""

    levels: tuple[float, ...]
    values: Floats

    def take(self, rows: NDArray[np.intp]) -> Quantiles:
        return Quantiles(self.levels, self.values[rows])


def percentile(level: float) -> str:
    """A level as metrics' names have it: ``p5`` for 0.05, ``p2_5`` for 0.025."""
    return f"p{100 * level:.10g}".replace(".", "_")


def names(levels: Sequence[float]) -> tuple[str, ...]:
    """The metrics of these levels; one level alone has no interval and crosses nothing."""
    each = [f"{kind}_{percentile(level)}" for kind in OF_LEVELS for level in levels]
    return ("pinball", *(OF_ALL[1:] if len(levels) > 1 else ()), *each)


def is_one(name: str) -> bool:
    """Whether some levels have a metric of this name."""
    kind, _, level = name.partition("_p")
    return name in OF_ALL or (kind in OF_LEVELS and level.replace("_", "", 1).isdigit())


def aim(name: str, levels: Sequence[float]) -> float | None:
    """The value that a metric is to be near, which is better neither above nor below it."""
    if name == "coverage":
        return levels[-1] - levels[0]
    return {f"below_{percentile(level)}": level for level in levels}.get(name)


def pinball(truth: Floats, given: Floats, levels: Sequence[float]) -> Floats:
    """The pinball loss of each row and level [n, k], in the target's unit (Koenker and Bassett 1978).

    Its mean is least where the given number is the quantile; at 0.5 it is half of the absolute error.
    """
    over = truth[:, None] - given
    level = np.asarray(levels, dtype=np.float64)
    found: Floats = np.maximum(level * over, (level - 1) * over)
    return found


def below(truth: Floats, given: Floats) -> Bools:
    """Whether each truth is at or below each given number, [n, k]."""
    found: Bools = truth[:, None] <= given
    return found


def within(truth: Floats, given: Floats) -> Bools:
    """Whether each truth lies in its interval, ends included."""
    found: Bools = (given[:, 0] <= truth) & (truth <= given[:, -1])
    return found


def crossing(given: Floats) -> Bools:
    """The rows in which a higher level's number is below a lower level's."""
    return np.asarray((np.diff(given, axis=1) < 0).any(axis=1))


def measure(truth: Floats, found: Quantiles) -> Callable[[Floats], dict[str, Floats]]:
    """What scores weightings [b, n] of these rows."""
    given, levels = found.values, found.levels
    losses, share = pinball(truth, given, levels), below(truth, given).astype(np.float64)
    interval = [within(truth, given), given[:, -1] - given[:, 0], crossing(given)]
    columns = np.vstack([losses.mean(axis=1), losses.T, share.T, *interval])
    k = len(levels)

    def scores(weights: Floats) -> dict[str, Floats]:
        means = sums(weights, columns) / weights.sum(axis=-1)[:, None]
        scored = {"pinball": means[:, 0]}
        if k > 1:
            scored["coverage"] = means[:, -3]
            scored["coverage_error"] = np.abs(means[:, -3] - (levels[-1] - levels[0]))
            scored["interval_width"], scored["crossing"] = means[:, -2], means[:, -1]
        for at, level in enumerate(levels):
            scored[f"pinball_{percentile(level)}"] = means[:, 1 + at]
            scored[f"below_{percentile(level)}"] = means[:, 1 + k + at]
        return scored

    return scores


def shares(truth: Floats, found: Quantiles) -> dict[str, int]:
    """How many rows each metric counts that is a share of them."""
    counted = {
        f"below_{percentile(level)}": int(rows.sum())
        for level, rows in zip(found.levels, below(truth, found.values).T, strict=True)
    }
    if len(found.levels) > 1:
        counted["coverage"] = int(within(truth, found.values).sum())
        counted["crossing"] = int(crossing(found.values).sum())
    return counted
