"""One training."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

Scalar = bool | int | float | str
RunStatus = Literal["running", "finished", "failed"]


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Which code ran: ``digest`` over the model's folder, git commit where there is one."""

    digest: str
    commit: str | None = None
    dirty: bool = False


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
    metrics: dict[str, float] = {}
    candidate: str | None = None
    """Digest of the sealed package."""
    error: str | None = None
    started: dt.datetime
    seconds: float = 0.0
