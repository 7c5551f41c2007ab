"""One training, and the trials of its parameters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec

from modelyard.records.package import Used

Scalar = bool | int | float | str
RunStatus = Literal["running", "finished", "failed", "lost"]
"""``lost`` is never stored: a listing says so of a ``running`` one whose process is gone."""


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Which code ran: ``digest`` over the model's folder, git commit where there is one."""

    digest: str
    commit: str | None = None
    dirty: bool = False
    """What the model is made of (its folder, what it imports, the settings) was not as that commit has it."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """Who does a running run; ids are given anew, so the moment that it was born belongs to it."""

    host: str
    pid: int
    born: int
    """Clock ticks since the machine started."""


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What the training's process used, with the processes that it started and waited for."""

    cpu_seconds: float
    peak_bytes: int
    """The largest memory at any one time, of the largest process."""
    wall_seconds: float


Number = float | Literal["nan", "inf", "-inf"]
"""As JSON can hold it."""


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file or chart that a training logged."""

    name: str
    kind: Literal["file", "svg", "vega-lite"]
    digest: str
    size: int
    """Bytes."""


TrialState = Literal["complete", "pruned", "failed"]


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One set of parameters, measured on the folds of the training split."""

    number: int
    state: TrialState
    value: float | None = None
    """The mean over the folds that were measured; None where it failed."""
    folds: tuple[float, ...] = ()
    """The metric on each fold, in their order; fewer than all where it was pruned or failed."""
    params: dict[str, Scalar]
    seconds: float
    error: str | None = None


class Study(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run's trials came to."""

    key: str
    """Digest of all that a trial's value depends on; trials of an unfinished study go on under the same."""
    sampler: Literal["random", "grid", "tpe", "cmaes"]
    metric: str
    higher_is_better: bool
    planned: int
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    best: int | None = None
    """The number of the best complete trial."""
    value: float | None = None
    """Its value."""
    importance: dict[str, float] = {}
    """By how much each searched parameter tells the better half of the trials from the rest (PED-ANOVA), the shares of 1."""
    trials: str | None = None
    """Digest of all trials: JSON, a list by number."""

    @property
    def done(self) -> int:
        return self.complete + self.pruned + self.failed


def best(trials: Sequence[Trial], *, higher: bool) -> Trial | None:
    """The complete trial with the best value, of equal ones the first by number; None where there is none."""
    found = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    sign = -1.0 if higher else 1.0
    return min(found, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    model: str
    status: RunStatus
    dataset: str
    """Reference of the dataset version, ``patients@3``."""
    dataset_digest: str
    params: dict[str, Scalar]
    seed: int
    code: Code
    environment: dict[str, str]
    """Installed distributions (name to version) that the model's requirements lead to,
    with ``python`` and ``platform``."""
    metrics: dict[str, Number] = {}
    """The last value of each metric that the training logged."""
    candidate: str | None = None
    """Digest of the sealed package."""
    error: str | None = None
    started: dt.datetime
    seconds: float = 0.0
    process: Process | None = None
    resources: Resources | None = None
    log: str | None = None
    """Digest of what the training printed: its beginning and its end."""
    logged: dict[str, Scalar] = {}
    """What the training logged with ``my.log_param``."""
    points: str | None = None
    """Digest of every point of its metrics: Parquet with ``metric``, ``step``, ``time``, ``value``."""
    artifacts: tuple[Artifact, ...] = ()
    uses: tuple[Used, ...] = ()
    """Registered versions that its code asked for answers, as ``uses`` in the settings meant them then."""
    study: Study | None = None
    """The search for ``params``, where there was one."""
