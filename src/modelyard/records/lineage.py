"""Where a dataset version came from, and what became of it."""

from __future__ import annotations

import msgspec

from modelyard.records.dataset import DatasetVersion
from modelyard.records.registry import Release, Version
from modelyard.records.run import Run


class TrainedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version and everywhere it went live, oldest first."""

    version: Version
    releases: tuple[Release, ...] = ()


class TrainedRun(msgspec.Struct, frozen=True, kw_only=True):
    run: Run
    versions: tuple[TrainedVersion, ...] = ()


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Sources stand in the version itself; runs are oldest first."""

    dataset: DatasetVersion
    runs: tuple[TrainedRun, ...] = ()
