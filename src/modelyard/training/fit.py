"""Run the author's ``train`` and make sure that what it returned answers."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.authoring import FrameKind, Params, Space, TrainingData, Uniform
from modelyard.authors.blame import blame, shown
from modelyard.authors.capture import captured
from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.records.package import Label, Task
from modelyard.records.run import Scalar
from modelyard.records.schema import Schema
from modelyard.training.model_code import ModelCode

if TYPE_CHECKING:
    import polars as pl

    from modelyard.predictor.fitted import Fitted
    from modelyard.tables.batch import Batch

_TRIAL_ROWS = 50
_NOTE = 2000
"""Characters of what the code printed that an error carries as its note."""


@dataclass(frozen=True)
class Trained:
    """A fitted model that has answered rows it was trained on."""

    fitted: Fitted
    params: dict[str, Scalar]
    """Every parameter of ``SPACE``, defaults included."""
    seconds: float
    """Time that the author's ``train`` took."""
    log: str
    """What it printed, at most the last megabyte."""
    hash_seed: str
    """``PYTHONHASHSEED`` of this process, which orders sets of strings; ``random`` when unset."""


def fit(
    code: ModelCode,
    frame: pl.DataFrame,
    schema: Schema,
    *,
    params: Mapping[str, Scalar],
    seed: int,
    task: Task,
    classes: tuple[Label, ...],
) -> Trained:
    """Train on ``frame`` (training rows only) and try the model on the first of them.

    Every generator is seeded before (``random``, NumPy, PyTorch where the code imports it), and
    ``data.seed`` tells the author. Raises ``SettingsError`` for a parameter that ``SPACE`` does not
    allow, ``DataRefused`` without rows, ``AuthorError`` with file and line when the code raises,
    returns nothing, or returns a model that does not answer each row with a label or a number; what
    it printed last is the error's note.
    """
    import numpy as np

    from modelyard.tables.gather import gather

    values = resolve(code.space, params)
    if frame.height == 0:
        raise DataRefused("There are no rows to train on; ingest a table with rows first.")
    data = TrainingData.of(lambda kind: _rows(frame, schema, kind), seed=seed, folds=_folds(frame))
    trial = gather(frame.head(_TRIAL_ROWS), schema)
    with captured() as tail, code.importable(), np.errstate():
        _seed(seed)
        start = time.perf_counter()
        try:
            model = _train(code, data, values)
            seconds = time.perf_counter() - start
            fitted = _fitted(code, model, data.asked, task, classes)
            _try(fitted, trial, schema, code.folder)
        except AuthorError as error:
            if printed := tail.text()[-_NOTE:].strip():
                error.add_note(f"The code printed last:\n{printed}")
            raise
    hash_seed = os.environ.get("PYTHONHASHSEED") or "random"
    return Trained(fitted, values, seconds, code.said + tail.text(), hash_seed)


def resolve(space: Mapping[str, Space], params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The defaults of ``space`` with ``params`` over them.

    ``SettingsError`` for a name that is not in ``space`` or a value outside it.
    """
    values = {name: entry.default for name, entry in space.items()}
    for name, value in params.items():
        if name not in space:
            known = ", ".join(space) or "none"
            raise SettingsError(f"There is no parameter '{name}' in the model's SPACE; known: {known}.")
        if not space[name].contains(value):
            raise SettingsError(f"Parameter '{name}' must be {space[name]}, got {value!r}.")
        values[name] = value
    return {n: float(v) if isinstance(space[n], Uniform) else v for n, v in values.items()}


def _rows(frame: pl.DataFrame, schema: Schema, kind: FrameKind) -> tuple[Any, Any]:
    """Features as a service will rebuild them, made anew: an author may change them in place."""
    from modelyard.tables.batch import to_frame
    from modelyard.tables.gather import gather, target

    features = to_frame(gather(frame, schema), schema, kind)
    name = schema.target or ""
    if kind == "polars":
        return features, frame[name]
    answers = target(frame, schema).copy()
    if kind == "numpy":
        return features, answers
    import pandas as pd

    return features, pd.Series(answers, index=features.index, name=name, dtype=answers.dtype)


def _folds(frame: pl.DataFrame) -> Any:
    """[n] integers, where the table has folds."""
    import polars as pl

    from modelyard.tables.split import FOLD

    return frame[FOLD].cast(pl.Int64).to_numpy() if FOLD in frame.columns else None


def _train(code: ModelCode, data: TrainingData, values: Mapping[str, Scalar]) -> object:
    try:
        return code.train(data, Params(values))
    except (Exception, SystemExit) as error:
        raise blame("'train' raised", error, code.folder) from error


def _seed(seed: int) -> None:
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)


def _fitted(
    code: ModelCode, model: object, asked: tuple[FrameKind, ...], task: Task, classes: tuple[Label, ...]
) -> Fitted:
    from modelyard.predictor.fitted import Fitted

    path = shown(code.folder / "model.py")
    if model is None:
        raise AuthorError(f"'train' in {path} returned nothing; end it with 'return model'.")
    if code.predict is None and not callable(getattr(model, "predict", None)):
        raise AuthorError(
            f"'train' in {path} returned an object of type {type(model).__name__}, which has no 'predict'; "
            "return an estimator, or define 'def predict(model, rows)' beside it."
        )
    return Fitted(model, task, classes, _frame_kind(model, asked), code.predict, code.save, code.load)


def _frame_kind(model: object, asked: tuple[FrameKind, ...]) -> FrameKind:
    """What the model was fitted on: the kind asked for last, unless its feature names say otherwise."""
    latest = asked[-1] if asked else "pandas"
    if not hasattr(model, "n_features_in_"):
        return latest
    if hasattr(model, "feature_names_in_"):
        return latest if latest != "numpy" else next((k for k in reversed(asked) if k != "numpy"), "pandas")
    return "numpy"


def _try(fitted: Fitted, batch: Batch, schema: Schema, folder: Path) -> None:
    """Ask for the first rows together and for one alone, as a service does."""
    from modelyard.predictor.native import answer

    for rows, name in ((batch, "its first training rows"), (batch.take([0]), "one training row alone")):
        try:
            answer(fitted, rows, schema)
        except (Exception, SystemExit) as error:
            raise blame(f"The trained model could not answer {name}", error, folder) from error
