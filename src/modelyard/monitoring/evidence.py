"""What a look at a window has to go by, and what a judge is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.errors import DataRefused
from modelyard.monitoring.draft import Draft
from modelyard.monitoring.hindsight import Bound, Hindsight
from modelyard.monitoring.peopled import Peopled
from modelyard.monitoring.raw import Raw
from modelyard.monitoring.reading import features
from modelyard.records.finding import Finding
from modelyard.records.package import Manifest
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Schema
from modelyard.records.window import ExaminedWindow
from modelyard.settings.monitor import MonitorSettings
from modelyard.tables.batch import Batch
from modelyard.tables.gather import gather

_NOTHING = Profile(rows=0, columns=())


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The rows that one version answered in one window, beside what it learnt from.

    ``reference`` and ``answers`` are the package's own profiles, ``window`` and ``window_answers`` the logged rows
    counted on them. What is not there is empty: a judge that needs it has nothing to say then.
    """

    settings: MonitorSettings
    environment: str
    model: str
    version: int
    start: dt.datetime
    end: dt.datetime
    reference: Profile
    window: Profile
    answers: Profile = _NOTHING
    window_answers: Profile = _NOTHING
    package: str = ""
    examined: dt.datetime = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    """The logged rows, of more than ``MOST`` so many drawn; all of them where another tool's rules decide."""
    minutes: pl.DataFrame = field(default_factory=pl.DataFrame)
    """What workers counted of the version, as ``minutes.minutes`` has it."""
    history: Sequence[ExaminedWindow] = ()
    """Windows before this one, newest first."""
    schema: Schema | None = None
    """Of the package."""
    learnt: Callable[[int | None], Raw | None] = lambda _: None
    """The rows that the version learnt from, of more than so many some of them; None where the yard has them not."""
    tested: Callable[[], Raw | None] = lambda: None
    """The rows that it was tested on, with its answers."""
    replay: Callable[[Batch], Raw] | None = None
    """Rows with what the package answers here."""
    total: int | None = None
    """Predictions of all versions in the window; None where another version's report tells it."""
    offered: Schema | None = None
    """Of the newest version of the dataset that it learnt from."""
    data_until: dt.datetime | None = None
    """Where the data ends that it learnt from."""

    def seen(self) -> Raw:
        """Those rows and the answers that were given."""
        if self.schema is None or self.rows.is_empty():
            return Raw(Batch(np.empty((0, 0)), np.empty((0, 0), dtype=object)))
        probability = self.rows["probability"]
        return Raw(
            gather(features(self.rows), self.schema),
            _predictions(self.rows["prediction"]),
            None if probability.null_count() else np.array(probability.to_list(), dtype=np.float64),
        )

    manifest: Manifest | None = None
    bound: Bound | None = None
    """What quality must not be beyond."""
    hindsight: Hindsight | None = None
    """What outcomes tell of the version's predictions up to the window's end."""
    groups: Sequence[Peopled] = ()
    """The same rows by the groups of each column of ``fairness``; all predictions where no outcome is needed."""

    @property
    def columns(self) -> list[tuple[ColumnProfile, ColumnProfile]]:
        """Each feature in the reference and in the window."""
        return _paired(self.reference, self.window)

    @property
    def answered(self) -> list[tuple[ColumnProfile, ColumnProfile]]:
        """The same of the answers."""
        return _paired(self.answers, self.window_answers)

    def discreet(self, draft: Draft) -> Draft:
        """The draft without any value, where its column is about persons."""
        if self.schema is None or not any(c.personal and c.name == draft.column for c in self.schema.columns):
            return draft
        told = (
            f"{draft.column}: {draft.kind.replace('_', ' ')}, of which no value is told, since it is personal"
        )
        return replace(draft, change=told, calm=told, details=(), pair=None)

    def refuse_strangers(self) -> None:
        """Raise ``DataRefused`` when the window was counted on another reference."""
        _ = self.columns, self.answered

    @property
    def note(self) -> str:
        """Why the window is not judged; empty where it is."""
        rows, least = self.window.rows, self.settings.min_rows
        if not rows:
            return "No predictions in this window: nothing was judged."
        if rows < least:
            return f"{rows} predictions in this window, fewer than min_rows = {least}: nothing was judged."
        return ""


Judge = Callable[[Evidence], Iterable[Draft | Finding]]
"""Looks at a window for one kind of trouble. A ``Draft`` is corrected together with all others of its family;
a ``Finding`` is decided already."""


def _predictions(values: pl.Series) -> NDArray[Any]:
    """Of a model that answers several labels a row, lists of them."""
    if values.dtype != pl.List:
        return values.to_numpy()
    made = np.empty(len(values), dtype=object)
    made[:] = values.to_list()
    return made


def _paired(reference: Profile, window: Profile) -> list[tuple[ColumnProfile, ColumnProfile]]:
    def anchors(profile: Profile) -> list[tuple[str, str, str]]:
        return [(c.name, c.kind, c.edges_sha256) for c in profile.columns]

    if anchors(reference) != anchors(window):
        raise DataRefused(
            "The window was counted on another reference; count it on the profile of the package that answered."
        )
    return list(zip(reference.columns, window.columns, strict=True))
