"""Two trained models side by side: what they are made of, and what they do."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

from modelyard.records.comparison import Comparison
from modelyard.records.difference import Difference
from modelyard.records.gate import GateOutcome
from modelyard.records.metric import Metric
from modelyard.records.package import Label, Task
from modelyard.records.report import Curve
from modelyard.records.run import Scalar


class Trained(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the two."""

    ref: str
    """``screening@7``, or ``screening@run/ID`` of a run that is not registered."""
    run: str
    package: str
    """Digest."""
    dataset: str
    """What it was trained on, ``patients@3``."""
    seed: int
    commit: str | None = None
    dirty: bool = False
    trained: dt.datetime
    seconds: float
    note: str = ""
    """How the reference came to it, where that is not plain."""
    tested: str | None = None
    """The dataset version of its report; None for one that was not tested."""
    rows: int = 0
    """Test rows."""
    passed: bool | None = None
    gates: tuple[GateOutcome, ...] = ()
    metrics: tuple[Metric, ...] = ()
    curves: tuple[Curve, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    classes: tuple[Label, ...] = ()
    task: Task | None = None
    quantiles: tuple[float, ...] = ()


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A named value of both; None where one has none."""

    name: str
    before: Scalar | None
    after: Scalar | None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that takes another effect; None where one side has none."""

    name: str
    """Its key, ``models.screening.tune.trials``."""
    before: Any
    after: Any


class Rewritten(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the code that is not the same."""

    path: str
    change: Literal["new", "gone", "changed"]
    added: int
    """Lines."""
    removed: int
    diff: str = ""
    """Unified; empty for what is no text."""
    cut: int = 0
    """Lines that are left out of it at its end."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What the trainings logged as one metric; at most 500 points of each, evenly drawn."""

    metric: str
    before: tuple[tuple[int, float], ...]
    """Step and value."""
    after: tuple[tuple[int, float], ...]


class Contrast(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model on both sides, or on one of them only."""

    model: str
    before: Trained | None
    after: Trained | None
    same: bool = False
    """It is the same package."""
    paired: Comparison | None = None
    """Both on the same test rows, where they were tested on the same; ``after`` is the challenger."""
    unpaired: str = ""
    """Why they were not, in a clause."""
    parameters: tuple[Changed, ...] = ()
    """All of both."""
    logged: tuple[Changed, ...] = ()
    """Last values of logged metrics and logged parameters that differ."""
    series: tuple[Series, ...] = ()
    libraries: tuple[Changed, ...] = ()
    """Those that differ, with ``python`` and ``platform``."""
    code: tuple[Rewritten, ...] = ()
    code_unknown: str = ""
    """Why the code cannot be told, in a clause."""
    data: Difference | None = None
    """Where they learned from two versions of one dataset."""
    data_unknown: str = ""


class Contrasts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``diff A B`` of models: every model that both or one of them names."""

    before: str
    after: str
    models: tuple[Contrast, ...]
    settings: tuple[Setting, ...] = ()
    """Of two git revisions, those of ``modelyard.toml`` that differ."""
    settings_unknown: str = ""
    """Why they cannot be told, in a clause."""

    @property
    def gates(self) -> tuple[GateOutcome, ...]:
        """Of all that is new."""
        return tuple(gate for one in self.models if one.after for gate in one.after.gates)
