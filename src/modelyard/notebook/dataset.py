"""A dataset version: its schema and profile at once, its rows when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.notebook.here import here
from modelyard.records.datareport import ColumnReport, DataReport
from modelyard.records.dataset import DatasetVersion
from modelyard.records.profile import Profile
from modelyard.records.schema import Schema
from modelyard.render import figures
from modelyard.render.cells import grid, sheet
from modelyard.render.text import table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from modelyard.authoring import TrainingData
    from modelyard.data.shelf import Side

_HEADERS = ("column", "kind", "missing", "distinct", "least", "median", "mean", "most", "")
_MOST = 60
"""Columns that are drawn."""


@dataclass(frozen=True, repr=False)
class Rows:
    """Rows of a dataset version, read when ``polars()`` or ``pandas()`` asks for them.

    All but the training rows are a use of the test split, which the yard counts.
    """

    root: Path
    """The project's folder."""
    version: DatasetVersion
    part: Side

    @property
    def ref(self) -> str:
        return self.version.ref

    def polars(self) -> pl.DataFrame:
        """The rows as a Polars frame, in the order they were ingested, typed by the schema."""
        from modelyard.actions.read import read

        with here(self.root) as place:
            return read(place, self.version, part=self.part)

    def pandas(self) -> pd.DataFrame:
        """The rows as a pandas frame."""
        return self.polars().to_pandas()

    def training(self) -> TrainingData:
        """The rows as ``train(data, params)`` of a ``model.py`` is given them."""
        from modelyard.actions.read import training

        with here(self.root) as place:
            return training(place, self.version, part=self.part)

    def __len__(self) -> int:
        held = self.version.test_rows
        return {"all": self.version.rows, "test": held, "train": self.version.rows - held}[self.part]

    def __repr__(self) -> str:
        return f"{self._title()}: {self._note()}"

    def _repr_html_(self) -> str:
        return sheet(self._title(), self._note(), ())

    def _title(self) -> str:
        return f"{self.ref}, {self.part} rows"

    def _note(self) -> str:
        return f"{len(self):,} rows, read by .polars() or .pandas()"


@dataclass(frozen=True, repr=False)
class Dataset(Rows):
    """All rows of a version; ``train`` and ``test`` are its two sides."""

    profile: Profile
    """What was counted of every column at ingest."""
    report: DataReport
    """The profile in a person's figures."""

    def __init__(self, root: Path, version: DatasetVersion, profile: Profile, report: DataReport) -> None:
        super().__init__(root, version, "all")
        object.__setattr__(self, "profile", profile)
        object.__setattr__(self, "report", report)

    @property
    def train(self) -> Rows:
        return Rows(self.root, self.version, "train")

    @property
    def test(self) -> Rows:
        """The rows held back; each reading of them is counted, since scores on known rows promise too much."""
        return Rows(self.root, self.version, "test")

    @property
    def schema(self) -> Schema:
        return self.version.schema

    @property
    def test_uses(self) -> int:
        """How often the test split was used until now: by reports, and by people who read it."""
        from modelyard.actions.look import data

        with here(self.root) as place:
            return next(one.test_uses for one in data(place, self.version.dataset) if one.ref == self.ref)

    def __repr__(self) -> str:
        columns = table(_HEADERS, [_cells(column) for column in self.report.columns[:_MOST]])
        return f"{self._title()}: {self._note()}\n{columns}"

    def _repr_html_(self) -> str:
        columns = [_cells(column) for column in self.report.columns[:_MOST]]
        return grid(self._title(), self._note(), _HEADERS, columns, right=(2, 3, 4, 5, 6, 7))

    def _title(self) -> str:
        return self.ref

    def _note(self) -> str:
        columns, uses = len(self.report.columns), self.test_uses
        some = f", of which {_MOST} are shown" if columns > _MOST else ""
        return (
            f"{len(self):,} rows, {self.version.test_rows:,} of them held back for tests and used "
            f"{uses} time{'' if uses == 1 else 's'}; {columns} columns{some}"
        )


def _cells(column: ColumnReport) -> tuple[str, ...]:
    return (
        column.name if column.role == "feature" else f"{column.name} ({column.role})",
        column.kind,
        figures.share(column.missing, column.rows),
        figures.distinct(column),
        figures.figure(column.minimum, column.kind),
        figures.figure(column.quantiles.get("50 %"), column.kind),
        figures.figure(column.mean, column.kind),
        figures.figure(column.maximum, column.kind),
        figures.sparkline(column),
    )
