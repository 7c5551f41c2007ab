"""All that the tests look at, read once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from modelyard.records.dataset import DatasetVersion
from modelyard.records.event import Event
from modelyard.records.package import Manifest
from modelyard.records.registry import Release, Review, Version
from modelyard.records.report import Report
from modelyard.records.run import Run
from modelyard.settings import ModelSettings, Settings
from modelyard.settings.readiness import ModelReadiness

_WAS_LIVE = ("live", "replaced", "rolled_back", "stopped")
_TRIED = ("canary", "shadow", "ended")


@dataclass(frozen=True, kw_only=True)
class Known:
    """Of one version; what is of other versions is there to be held against it."""

    now: dt.datetime
    settings: Settings
    written: ModelReadiness
    """What people wrote down."""
    version: Version
    run: Run | None
    report: Report
    """The newest on its package."""
    registered: Report
    """The one that let it be registered."""
    manifest: Manifest
    data: DatasetVersion | None
    """What it learnt from; None where that is not on record."""
    datasets: Sequence[DatasetVersion]
    """All versions of that dataset, ascending."""
    versions: Sequence[Version]
    """All of the model, ascending."""
    releases: Sequence[Release]
    """All of the model, oldest first."""
    reviews: Sequence[Review]
    """Of this version."""
    events: Sequence[Event]
    built: str
    """The version that the newest whole build of the model registered, or nothing."""
    schema_file: str
    """Relative to the project."""
    pipelines: tuple[str, ...]
    """Files of the project by which a forge builds it."""
    mode: int
    """Permissions of the folder that holds the yard on this machine."""
    addresses: Mapping[str, str]
    """Of the environments' services."""

    @property
    def model(self) -> ModelSettings:
        return self.settings.models[self.version.model]

    @property
    def ref(self) -> str:
        return self.version.ref

    @property
    def last(self) -> str:
        """The environment that comes last."""
        return list(self.settings.environments)[-1] if self.settings.environments else ""

    @cached_property
    def live(self) -> tuple[Release, ...]:
        """Where this version is live, the last environment first."""
        order = list(self.settings.environments)
        found = [r for r in self.releases if r.version == self.version.number and r.status == "live"]
        return tuple(
            sorted(found, key=lambda r: -order.index(r.environment) if r.environment in order else 1)
        )

    def was_live(self, version: int, environment: str) -> Release | None:
        """The first time that the version went live there."""
        return next(
            (
                r
                for r in self.releases
                if (r.version, r.environment) == (version, environment)
                and r.status in _WAS_LIVE
                and r.finished
            ),
            None,
        )

    def rollbacks(self) -> list[Release]:
        """Those that brought another version back, oldest first; one that ended a trial is none."""
        found, live = [], dict[str, int]()
        for release in self.releases:
            if release.status not in _WAS_LIVE or not release.finished:
                continue
            if release.restores is not None and live.get(release.environment) not in (None, release.version):
                found.append(release)
            live[release.environment] = release.version
        return found

    def trials(self) -> list[Release]:
        """Of this version, those that answered beside a live one, newest first."""
        return [
            r
            for r in reversed(self.releases)
            if r.version == self.version.number and r.trial and r.status in _TRIED and r.finished
        ]

    def told(self, action: str, **payload: str) -> Iterator[Event]:
        """Events of that kind with these facts, newest first."""
        for event in reversed(self.events):
            if event.action == action and all(event.payload.get(k) == v for k, v in payload.items()):
                yield event
