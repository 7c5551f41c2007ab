"""Where a dataset version came from, and what became of it."""

from __future__ import annotations

import msgspec

from modelyard.records.dataset import DatasetVersion
from modelyard.records.registry import Release, Version
from modelyard.records.run import Run


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A span of logged predictions that was held against what the model learnt from."""

    environment: str
    since: str
    until: str
    """ISO 8601."""
    rows: int
    alerts: int
    judged: bool


class ModelLineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version came from, what became of it, and both of the versions that it stands between.

    Those in ``uses`` tell their own ``uses`` in turn, those in ``used_by`` their own ``used_by``.
    """

    version: Version
    run: Run | None = None
    data: DatasetVersion | None = None
    """What the run learnt from, with its source files, where that is on record here; not of versions beside."""
    attested: dict[str, str] = {}
    """What stands beside its package: sha256 by name. Not of versions beside."""
    releases: tuple[Release, ...] = ()
    """Oldest first."""
    windows: tuple[Window, ...] = ()
    """Of its predictions, oldest first."""
    uses: tuple[ModelLineage, ...] = ()
    """Versions that its code asks for answers."""
    used_by: tuple[ModelLineage, ...] = ()
    """Versions whose code asks it."""


class TrainedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version and everywhere it went live, oldest first."""

    version: Version
    releases: tuple[Release, ...] = ()
    used_by: tuple[ModelLineage, ...] = ()
    """Versions of other models whose code asks it."""


class TrainedRun(msgspec.Struct, frozen=True, kw_only=True):
    run: Run
    versions: tuple[TrainedVersion, ...] = ()


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Sources stand in the version itself; runs are oldest first."""

    dataset: DatasetVersion
    runs: tuple[TrainedRun, ...] = ()
