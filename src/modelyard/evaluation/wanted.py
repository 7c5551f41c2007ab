"""What a report is to hold beyond metrics and gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from modelyard.records.footprint import Footprint
from modelyard.records.gate import FairnessRule
from modelyard.records.schema import Column
from modelyard.tables.batch import Batch

SAMPLE = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Sliced:
    """A column whose cells are looked at: values [n] as ``tables.gather.values`` gives them."""

    column: Column
    values: NDArray[Any]
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Prices:
    """What an error costs."""

    false_positive: float
    false_negative: float


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Nothing by default: then only what gates need is looked at."""

    slices: tuple[Sliced, ...] = ()
    """Columns in each of whose cells the model is measured too."""
    min_rows: int = 30
    """A cell of fewer rows is counted and not judged."""
    groups: tuple[Sliced, ...] = ()
    """Columns whose groups are compared for fairness, all rows of them."""
    fairness: tuple[FairnessRule, ...] = ()
    """Gates on these columns."""
    prices: Prices | None = None
    train: tuple[Batch, NDArray[Any]] | None = None
    """Features and target of training rows, for baselines to learn from."""
    importance: bool = False
    """Shuffle features."""
    stability: bool = False
    """Disturb rows."""
    footprint: Footprint | None = None
    """What the package takes to answer, for the report and its gates."""
    search: bool = False
    """Look for weak slices."""
    most_rows: int = SAMPLE
    """Slices, and what follows them in a report, look at no more rows than these, drawn at random."""
