"""Where a model is trained, in a process of its own: its code and rows once, any number of fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.authors.blame import blame
from modelyard.errors import DataRefused
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.native import answer
from modelyard.training.fit import Trained, fit
from modelyard.training.model_code import ModelCode, load
from modelyard.training.recorder import recording
from modelyard.training.rows import Framed, Frames, Rows, read

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.predictor.answers import Answers
    from modelyard.records.package import FrameKind, Label, Task
    from modelyard.records.run import Scalar
    from modelyard.records.schema import Schema


class Bench:
    """One model's code, the rows to learn from, and the last model that was fitted on all of them."""

    code: ModelCode
    rows: Rows
    schema: Schema
    trained: Trained | None = None

    def open(self, code: Path) -> dict[str, Any]:
        """Import the author's code; returns its ``SPACE`` as ``{name: {"type": ..., ...}}``."""
        self.code = load(code)
        return {
            name: {"type": type(entry).__name__, **dataclasses.asdict(entry)}
            for name, entry in self.code.space.items()
        }

    def begin(
        self,
        rows: Path,
        schema: Schema,
        *,
        task: Task,
        classes: tuple[Label, ...],
        seed: int,
        quantiles: tuple[float, ...] = (),
        thresholds: tuple[float, ...] = (),
        folds: Path | None = None,
    ) -> None:
        """Read the rows; ``folds`` is a file of integers [n] to score by instead of the table's own."""
        self.rows, self.schema = read(rows), schema
        self._task, self._classes, self._seed = task, classes, seed
        self._quantiles, self._thresholds = quantiles, thresholds
        self._folds = np.load(folds, allow_pickle=False) if folds else self.rows.folds
        self._frames = Frames(self.rows, schema)

    def fit(
        self, params: Mapping[str, Scalar], *, memory: int | None = None, record: Path | None = None
    ) -> Trained:
        """Train on all rows and keep the model; ``my.log_...`` write into ``record``."""
        self.trained = None
        with recording(record):
            self.trained = self._fit(self.rows, params, memory, tried=True)
        return self.trained

    def adopt(self, model: object, frame: FrameKind) -> None:
        """Take a model that was fitted elsewhere as the trained one."""
        code = self.code
        named = (code.predict, code.save, code.load, self._quantiles, self._thresholds)
        fitted = Fitted(model, self._task, self._classes, frame, *named)
        self.trained = Trained(fitted, {}, 0.0, "")

    def answer(
        self,
        params: Mapping[str, Scalar],
        *,
        fold: int,
        learn: Literal["others", "before"] = "others",
        share: float = 1.0,
        memory: int | None = None,
        record: Path | None = None,
    ) -> tuple[Rows, Answers, Trained, int]:
        """Train on a share of the other folds, or of those before, and answer the rows of ``fold``; the last is how
        many rows it learnt from."""
        learnt, of = self._part(fold, learn)
        if share < 1:
            at = np.flatnonzero(learnt)
            order = np.random.default_rng(self._seed).permutation(len(at))
            learnt[at[order >= max(1, round(share * len(at)))]] = False
        rows, held = self.rows.take(learnt), self.rows.take(of)
        with recording(record):
            trained = self._fit(rows, params, memory, tried=False, frames=self._frames.of(learnt))
        try:
            frame, _ = self._frames.of(of)(trained.fitted.frame)
            return held, answer(trained.fitted, held.batch, self.schema, frame=frame), trained, len(rows)
        except (Exception, SystemExit) as error:
            raise blame("The trained model could not answer its fold", error, self.code.folder) from error

    def _fit(
        self,
        rows: Rows,
        params: Mapping[str, Scalar],
        memory: int | None,
        *,
        tried: bool,
        frames: Framed | None = None,
    ) -> Trained:
        named: dict[str, Any] = {"task": self._task, "classes": self._classes, "memory": memory}
        named["quantiles"], named["thresholds"] = self._quantiles, self._thresholds
        return fit(
            self.code, rows, self.schema, params=params, seed=self._seed, frames=frames, tried=tried, **named
        )

    def _part(self, fold: int, learn: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Masks of the rows to learn from and of those to answer."""
        if self._folds is None:
            raise DataRefused("The rows are in no folds; give some, or 'folds' in the dataset's split.")
        held = np.asarray(self._folds == fold)
        learnt = np.asarray(self._folds < fold) if learn == "before" else ~held
        if not held.any() or not learnt.any():
            raise DataRefused(f"Fold {fold} has no rows, or leaves none to learn from.")
        return learnt, held
