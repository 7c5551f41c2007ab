"""Run the author's ``train`` and make sure that what it returned answers."""

from __future__ import annotations

import os
import random
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelyard.authoring import FrameKind, Params, Space, TrainingData, Uniform
from modelyard.authors.blame import blame, shown
from modelyard.authors.bounds import GIB, bounded
from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.modules import is_module
from modelyard.tables.batch import Batch
from modelyard.training.model_code import ModelCode
from modelyard.training.rows import Framed, Rows, framed

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import Label, Task
    from modelyard.records.run import Scalar
    from modelyard.records.schema import Schema

_TRIAL_ROWS = 50


@dataclass(frozen=True)
class Trained:
    """A fitted model."""

    fitted: Fitted
    params: dict[str, Scalar]
    """Every parameter of ``SPACE``, defaults included."""
    seconds: float
    """Time that the author's ``train`` took."""
    hash_seed: str
    """``PYTHONHASHSEED`` of this process, which orders sets of strings; ``random`` when unset."""


def fit(
    code: ModelCode,
    rows: Rows,
    schema: Schema,
    *,
    params: Mapping[str, Scalar],
    seed: int,
    task: Task,
    classes: tuple[Label, ...],
    quantiles: tuple[float, ...] = (),
    thresholds: tuple[float, ...] = (),
    frames: Framed | None = None,
    tried: bool = True,
    memory: int | None = None,
) -> Trained:
    """Train on ``rows``, taking at most ``memory`` bytes, and ask the model for the first of them unless it
    is not to be ``tried``.

    Every generator is seeded before (``random``, NumPy, PyTorch where the code imports it), and
    ``data.seed`` tells the author. Raises ``SettingsError`` for a parameter that ``SPACE`` does not
    allow, ``DataRefused`` without rows, ``AuthorError`` with file and line when the code raises,
    returns nothing, or returns a model that does not answer each row with a label or a number. ``frames`` gives the rows
    as frames, where somebody has them already.
    """
    values = resolve(code.space, params)
    if len(rows) == 0:
        raise DataRefused("There are no rows to train on; ingest a table with rows first.")
    made = frames or (lambda kind: framed(rows, schema, kind))
    data = TrainingData.of(made, seed=seed, folds=rows.folds, quantiles=quantiles)
    with code.importable(), np.errstate(), warnings.catch_warnings():
        warnings.simplefilter("default")
        _seed(seed)
        start = time.perf_counter()
        model = _train(code, data, values, memory)
        seconds = time.perf_counter() - start
        fitted = replace(_fitted(code, model, data, task, classes), thresholds=thresholds)
        if tried:
            _try(fitted, rows.batch.take(slice(_TRIAL_ROWS)), schema, code.folder)
    return Trained(fitted, values, seconds, os.environ.get("PYTHONHASHSEED") or "random")


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


def _train(code: ModelCode, data: TrainingData, values: Mapping[str, Scalar], memory: int | None) -> object:
    try:
        with bounded(memory):
            return code.train(data, Params(values))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        blamed = blame("'train' raised", error, code.folder)
        if memory is not None and isinstance(error, MemoryError):
            at = str(blamed).rstrip(".")
            blamed = AuthorError(f"{at}; the settings give it memory_gb = {memory / GIB:g}.")
        raise blamed from error


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)


def _fitted(
    code: ModelCode, model: object, data: TrainingData, task: Task, classes: tuple[Label, ...]
) -> Fitted:
    path, levels = shown(code.folder / "model.py"), data.quantiles
    if model is None:
        raise AuthorError(f"'train' in {path} returned nothing; end it with 'return model'.")
    if levels and code.predict is None and isinstance(model, list | tuple):
        model = list(model)
        if len(model) != len(levels) or not all(callable(getattr(one, "predict", None)) for one in model):
            raise AuthorError(
                f"'train' in {path} returned a list of {len(model)}; for the {len(levels)} quantiles that the "
                "settings name it takes one fitted regressor each, '[... for level in data.quantiles]'."
            )
        kind = _frame_kind(model[0], data.asked)
        return Fitted(model, task, classes, kind, None, code.save, code.load, levels)
    if task == "multilabel" and code.predict is None and isinstance(model, list | tuple):
        model = list(model)
        if len(model) != len(classes) or not all(callable(getattr(one, "predict", None)) for one in model):
            raise AuthorError(
                f"'train' in {path} returned a list of {len(model)}; for the {len(classes)} labels it takes one fitted "
                "classifier each, '[... for label in data.target]'."
            )
        kind = _frame_kind(model[0], data.asked)
        return Fitted(model, task, classes, kind, None, code.save, code.load)
    if code.predict is None and not callable(getattr(model, "predict", None)) and not is_module(model):
        raise AuthorError(
            f"'train' in {path} returned an object of type {type(model).__name__}, which has no 'predict'; "
            "return an estimator, or define 'def predict(model, rows)' beside it."
        )
    kind = _frame_kind(model, data.asked)
    return Fitted(model, task, classes, kind, code.predict, code.save, code.load, levels)


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
