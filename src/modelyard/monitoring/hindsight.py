"""What is known of one version's predictions by now, and what its metrics must not be beyond."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.metrics.quantile import Quantiles
from modelyard.metrics.score import encode_answers
from modelyard.monitoring.terms import Judged, Places
from modelyard.monitoring.truth import typed
from modelyard.records.package import Label, Manifest


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a metric must not be beyond, and who says so."""

    metric: str
    value: float
    reason: str

    @property
    def rises(self) -> bool:
        return metrics.higher_is_better(self.metric)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A slice: its rows among the labelled ones, and its bound."""

    name: str
    rows: Places
    bound: Bound


@dataclass(frozen=True, kw_only=True)
class Hindsight:
    """What is known of one version's predictions up to a window's end.

    ``rows`` are those with an outcome, as ``reading.answered`` has them, in the order in which it came to be known;
    ``judged`` are the same as arrays. ``balance`` is as ``terms.terms`` wants it. ``slices`` is how many slices have a
    bound, of which ``parts`` are those with rows. ``tested`` and ``figures`` are the rows and metrics of its report;
    without a ``bound`` nothing is decided.
    """

    manifest: Manifest
    rows: pl.DataFrame
    judged: Judged
    metric: str
    bound: Bound | None = None
    errors: Bound | None = None
    """What errors row by row must not be beyond: on accuracy, of a regression on the mean error."""
    balance: int = 1
    parts: Sequence[Part] = ()
    slices: int = 0
    tested: int = 0
    figures: dict[str, float] = field(default_factory=dict)

    def until(self, end: dt.datetime) -> Hindsight:
        """The same of what was predicted before ``end``."""
        kept = np.flatnonzero((self.rows["at"] < end).to_numpy())
        if len(kept) == len(self.judged):
            return self
        parts = [replace(part, rows=np.flatnonzero(np.isin(kept, part.rows))) for part in self.parts]
        return replace(self, rows=self.rows[kept], judged=self.judged.take(kept), parts=parts)


def judged(manifest: Manifest, rows: pl.DataFrame, places: Places) -> Judged:
    """Rows with an outcome that the version knows (``truth``, JSON) and their windows [n], as arrays."""
    classes = manifest.classes
    truth = typed(rows["truth"], manifest.task, classes).to_numpy()
    quantiles = None
    if manifest.quantiles and "quantiles" in rows.columns:
        values = rows["quantiles"].list.to_array(len(manifest.quantiles)).to_numpy()
        quantiles = Quantiles(manifest.quantiles, values)
    probability = None
    if classes and not rows["probability"].null_count():
        probability = rows["probability"].list.to_array(len(classes)).to_numpy()
    return Judged(manifest.task, len(classes), truth, said(manifest, rows), probability, places, quantiles)


def said(manifest: Manifest, rows: pl.DataFrame) -> NDArray[np.generic]:
    """What was answered [n]: numbers, or places among the classes."""
    found: NDArray[np.generic] = rows["prediction"].to_numpy()
    if manifest.task == "regression":
        return found
    classes = manifest.classes
    names: Sequence[Label] = [str(c) for c in classes] if rows["prediction"].dtype == pl.String else classes
    return encode_answers(found, names)
