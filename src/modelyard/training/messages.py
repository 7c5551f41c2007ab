"""What a ``Worker`` and its process say to each other; every path is a file or folder of this machine."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from modelyard.records.package import FrameKind, Label, Task, Used
from modelyard.records.run import Scalar
from modelyard.records.schema import Schema


class Open(msgspec.Struct, frozen=True, kw_only=True, tag="open", tag_field="do"):
    """Import the model's code."""

    code: str
    uses: str | None = None
    """The folder of the packages that ``my.used`` opens."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    space: dict[str, dict[str, Any]]


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin", tag_field="do"):
    """Read the rows to learn from."""

    rows: str
    schema: Schema
    task: Task
    classes: tuple[Label, ...]
    seed: int
    quantiles: tuple[float, ...] = ()
    """Levels that a regression answers."""
    thresholds: tuple[float, ...] = ()
    """Of labels, in their order."""
    folds: str | None = None
    """A ``.npy`` file of integers [n] to score by, instead of the table's own folds."""


class Fit(msgspec.Struct, frozen=True, kw_only=True, tag="fit", tag_field="do"):
    """Train on all rows, try the model, keep it for ``Seal``."""

    params: dict[str, Scalar]
    memory: int | None = None
    record: str | None = None
    """The folder that ``my.log_...`` write into."""


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    params: dict[str, Scalar]
    """With the defaults of ``SPACE``."""
    seconds: float
    hash_seed: str


class Score(msgspec.Struct, frozen=True, kw_only=True, tag="score", tag_field="do"):
    """Train without ``fold`` and measure the answers for it; the model is not kept."""

    params: dict[str, Scalar]
    metric: str
    fold: int
    learn: Literal["others", "before"] = "others"
    """``before``: from folds of a smaller number only, for rows in the order of time."""
    share: float = 1.0
    """Of the rows to learn from, drawn by the seed; a larger share holds the smaller."""
    memory: int | None = None
    record: str | None = None


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    value: float | None
    """None where the answers leave the metric undefined."""
    rows: int
    """Measured on."""
    learnt: int
    """Learnt from."""
    params: dict[str, Scalar]
    seconds: float
    """Time that ``train`` took."""


class Prepare(msgspec.Struct, frozen=True, kw_only=True, tag="prepare", tag_field="do"):
    """Load already what ``Seal`` will need."""


class Seal(msgspec.Struct, frozen=True, kw_only=True, tag="seal", tag_field="do"):
    """Write the fitted model as a package into ``folder``, proven on the rows of ``test``."""

    test: str
    folder: str
    model: str
    requirements: tuple[str, ...]
    form: Literal["auto", "onnx", "native"]
    tolerance: float
    python: str
    uses: tuple[Used, ...] = ()
    used: str | None = None
    """Their folder."""
    beside: bool = False
    """Keep the trained model beside a compiled one."""


class Leave(msgspec.Struct, frozen=True, kw_only=True, tag="leave", tag_field="do"):
    """Write the fitted model into ``folder`` for the process that seals it."""

    folder: str


class Left(msgspec.Struct, frozen=True, kw_only=True):
    frame: FrameKind


class Adopt(msgspec.Struct, frozen=True, kw_only=True, tag="adopt", tag_field="do"):
    """Take the model that another process left in ``folder`` as the fitted one."""

    folder: str
    frame: FrameKind


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer", tag_field="do"):
    """Open the package in the folder ``package``, whose code may run, and write its answers to the rows as ``file``:
    ``.npz`` with ``prediction`` [n] (texts for labels that are texts) and, where there are any, ``probability`` [n, c] or
    ``quantiles`` [n, k]."""

    package: str
    rows: str
    file: str


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end", tag_field="do"):
    """No more jobs."""


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that only says that it was done."""


Job = Open | Begin | Fit | Score | Prepare | Seal | Leave | Adopt | Answer | End
