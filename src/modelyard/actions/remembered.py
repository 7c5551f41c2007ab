"""What a registered version learnt from, as monitoring compares with it: profiles in the package, rows in the yard."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modelyard.actions.locate import opened
from modelyard.errors import UnknownName
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.profile import Profile
from modelyard.records.run import Run
from modelyard.records.schema import Schema

if TYPE_CHECKING:
    from modelyard.monitoring import Raw
    from modelyard.tables.batch import Batch


class Remembered:
    """One version's package opened; its rows are read when they are first asked for."""

    def __init__(self, project: Project, environment: str, model: str, version: int) -> None:
        self._project = project
        with project.yard.read() as facts:
            registered = facts.versions.get(model, version)
            package = facts.packages.get(registered.package) if registered else None
            self.run: Run | None = facts.runs.get(package.run) if package else None
            self.data = _data(facts, self.run)
            newest = facts.datasets.latest(self.data.dataset) if self.data else None
        if registered is None:
            raise UnknownName(
                f"{model}@{version} answered in {environment} and is not in this yard; run 'modelyard doctor'."
            )
        self.package = registered.package
        self.offered: Schema | None = newest.schema if newest else None
        """Of the dataset's newest version."""
        self.predictor = opened(project, self.package, environment=environment)
        folder = project.package_folder(self.package)
        self.features = msgspec.json.decode((folder / "profile.json").read_bytes(), type=Profile)
        self.answers = msgspec.json.decode((folder / "answers.json").read_bytes(), type=Profile)
        self._learnt: dict[int | None, Raw | None] = {}

    @property
    def data_until(self) -> dt.datetime | None:
        """Where the data ends that it learnt from, or when that was taken in."""
        return (self.data.newest or self.data.created) if self.data else None

    def learnt(self, most: int | None = None) -> Raw | None:
        """Rows of the train split, of more than ``most`` so many drawn at random; None where they are not in the yard."""
        if most not in self._learnt:
            self._learnt[most] = self._read(most)
        return self._learnt[most]

    @cached_property
    def _held_out(self) -> Raw | None:
        from modelyard.data import load
        from modelyard.tables.gather import gather, target

        if self.data is None:
            return None
        rows = load(self.data, self._project.holding(self.data), part="test")
        asked = self.answered(gather(rows, self.predictor.schema))
        return replace(asked, truth=target(rows, self.data.schema))

    def tested(self) -> Raw | None:
        """Rows of the test split with the answers of the package and the truth; None where they are not in the yard."""
        return self._held_out

    def answered(self, batch: Batch) -> Raw:
        """Rows with what the package answers here."""
        from modelyard.monitoring import Raw

        answers = self.predictor.predict(batch)
        return Raw(batch, answers.prediction, answers.probability)

    def _read(self, most: int | None) -> Raw | None:
        import polars as pl

        from modelyard.data import scan
        from modelyard.monitoring import Raw
        from modelyard.tables.gather import gather

        if self.data is None:
            return None
        rows = scan(self.data, self._project.holding(self.data), part="train")
        held = self.data.rows - self.data.test_rows
        if most is not None and held > most:
            drawn = np.sort(np.random.default_rng(0).choice(held, most, replace=False))
            rows = rows.with_row_index("\0at").filter(pl.col("\0at").is_in(drawn.tolist())).drop("\0at")
        return Raw(gather(rows.collect(engine="streaming"), self.predictor.schema))


def _data(facts: Facts, run: Run | None) -> DatasetVersion | None:
    name, _, number = run.dataset.partition("@") if run else ("", "", "")
    found = facts.datasets.get(name, int(number)) if number.isdecimal() else None
    return found if found and run and found.digest == run.dataset_digest else None
