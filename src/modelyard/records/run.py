"""One training."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

Scalar = bool | int | float | str
RunStatus = Literal["running", "finished", "failed", "lost"]
"""``lost`` is never stored: a listing says so of a ``running`` one whose process is gone."""


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Which code ran: ``digest`` over the model's folder, git commit where there is one."""

    digest: str
    commit: str | None = None
    dirty: bool = False


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
