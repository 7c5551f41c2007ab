"""The result of testing a trained model on the versioned test split."""

from __future__ import annotations

import datetime as dt

import msgspec

from modelyard.records.comparison import Comparison
from modelyard.records.decision import Calibration, Costs
from modelyard.records.explanation import Baseline, FeatureResiduals, Importance
from modelyard.records.fairness import Fairness
from modelyard.records.footprint import Footprint
from modelyard.records.gate import GateOutcome
from modelyard.records.labels import LabelOutcome
from modelyard.records.learning import Learning
from modelyard.records.metric import Metric
from modelyard.records.package import Label, Task
from modelyard.records.run import Study, Trial
from modelyard.records.slices import Search, Slice
from modelyard.records.stability import Stability

__all__ = ["Curve", "Metric", "Report"]


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a chart: ``roc``, ``precision_recall``, ``calibration``, ``residuals``, ``qq``, ``quantiles``,
    ``fan``."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    counts: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    """Lower ends of what is drawn around ``y``."""
    high: tuple[float, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    package: str
    """Digest of what was tested."""
    dataset: str
    dataset_digest: str
    task: Task
    classes: tuple[Label, ...]
    quantiles: tuple[float, ...] = ()
    """Levels, where it answers quantiles."""
    rows: int
    metrics: tuple[Metric, ...]
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows are true classes, columns predicted ones, in the order of ``classes``."""
    labels: tuple[LabelOutcome, ...] = ()
    """Of several labels each, in the order of ``classes``."""
    curves: tuple[Curve, ...] = ()
    gates: tuple[GateOutcome, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    """With what is live in each environment that a gate or the settings name."""
    slices: tuple[Slice, ...] = ()
    search: Search | None = None
    """For weak slices that nobody named."""
    calibration: Calibration | None = None
    """Of two classes with probabilities."""
    costs: Costs | None = None
    """Where the settings price errors."""
    fairness: tuple[Fairness, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    importance: Importance | None = None
    stability: Stability | None = None
    residuals: tuple[FeatureResiduals, ...] = ()
    """Of a regression: where it errs to one side, the most telling feature first."""
    footprint: Footprint | None = None
    learning: Learning | None = None
    study: Study | None = None
    """The search for its parameters, with ``trials`` by number."""
    trials: tuple[Trial, ...] = ()
    sampled: int = 0
    """How many rows, drawn at random, slices and what follows them look at; 0 for all."""
    passed: bool
    created: dt.datetime

    def metric(self, name: str) -> Metric:
        """The metric of that name; KeyError when there is none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)
