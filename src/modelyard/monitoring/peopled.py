"""What one version answered, by the groups of a column."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.records.gate import FairnessRule


@dataclass(frozen=True, kw_only=True, eq=False)
class Peopled:
    """Rows in the order in which they came to be known, each of a group of the column ``rule.by``.

    ``codes`` [n] are places among ``labels``, which are those of the training data, or -1; ``said`` and ``positive`` [n] are
    whether the answer and the outcome were the positive class; ``window`` and ``at`` [n] as of ``hindsight``. Where the
    column cannot be watched, ``why`` says it, and there are no rows.
    """

    rule: FairnessRule
    min_rows: int
    labels: tuple[str, ...] = ()
    codes: NDArray[np.intp]
    said: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    window: NDArray[np.intp]
    at: pl.Series
    why: str = ""

    def take(self, rows: NDArray[np.intp]) -> Peopled:
        return replace(
            self,
            codes=self.codes[rows],
            said=self.said[rows],
            positive=self.positive[rows],
            window=self.window[rows],
            at=self.at[rows],
        )

    def until(self, end: dt.datetime) -> Peopled:
        """The same of what was predicted before ``end``."""
        return self.take(np.flatnonzero((self.at < end).to_numpy()))


def nobody(rule: FairnessRule, min_rows: int, *, labels: tuple[str, ...] = (), why: str = "") -> Peopled:
    """Without rows."""
    none = np.empty(0, dtype=bool)
    places = none.astype(np.intp)
    at = pl.Series("at", [], dtype=pl.Datetime("us", "UTC"))
    return Peopled(
        rule=rule,
        min_rows=min_rows,
        labels=labels,
        codes=places,
        said=none,
        positive=none,
        window=places,
        at=at,
        why=why,
    )
