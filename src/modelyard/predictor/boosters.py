"""XGBoost's and LightGBM's models: where they are in a trained model, how a bare one answers, as files."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError, Tampered, Unconvertible
from modelyard.predictor.forests import read
from modelyard.predictor.parts import parts

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import Task

PLACE = "modelyard.booster"
"""In the skops file, a booster is a text of this and the name of its own file."""


def library(model: Any) -> str:
    """``xgboost`` or ``lightgbm`` for a bare Booster of it, else nothing."""
    kind = type(model)
    root = kind.__module__.partition(".")[0]
    return root if kind.__name__ == "Booster" and root in ("xgboost", "lightgbm") else ""


def bare(model: Any) -> Any:
    """The Booster of an estimator of XGBoost or LightGBM, or the Booster itself; else None."""
    if library(model):
        return model
    held = getattr(model, "__dict__", {}).get("_Booster")
    return held if held is not None and library(held) else None


def content(booster: Any) -> tuple[str, bytes]:
    """The Booster in its library's own text, JSON of XGBoost or LightGBM's, with the ending of such files."""
    if library(booster) == "xgboost":
        return "json", bytes(booster.save_raw(raw_format="json"))
    return "txt", booster.model_to_string().encode()


def ask(booster: Any, rows: Any, task: Task) -> NDArray[Any]:
    """What a bare Booster answers: numbers [n], or probabilities [n, c] in the order of the sorted classes,
    which it was trained on as 0, 1, ..."""
    if library(booster) == "xgboost":
        best = booster.attr("best_iteration")
        span = (0, 0) if best is None else (0, int(best) + 1)
        given = np.asarray(booster.inplace_predict(rows, iteration_range=span))
    else:
        given = np.asarray(booster.predict(rows))
    if task == "binary" and given.ndim == 1:
        if bool(((given < 0) | (given > 1)).any()):
            raise AuthorError(
                "The Booster gives scores that are no probabilities; train it with an objective that does, "
                "or write 'predict(model, rows)' in model.py."
            )
        return np.column_stack([1 - given, given])
    return given


def taken_out(model: Any) -> tuple[Any, dict[str, bytes]]:
    """A copy of the model with each Booster replaced by the name of a file, and those files.

    Raises ``Unconvertible`` for a Booster whose file could not be checked before it is loaded.
    """
    files: dict[str, bytes] = {}

    def put(booster: Any) -> str:
        ending, written = content(booster)
        name = f"booster-{len(files)}.{ending}"
        try:
            read(written, ending, "its booster")
        except Tampered as error:
            raise Unconvertible(str(error).rstrip(".")) from None
        files[name] = written
        return f"{PLACE}:{name}"

    if library(model):
        return put(model), files
    memo: dict[int, Any] = {}
    for booster in _within(model):
        memo[id(booster)] = put(booster)
    # a deep copy that finds them copied already
    return (copy.deepcopy(model, memo) if memo else model), files


def put_back(model: Any, file: Callable[[str], bytes]) -> Any:
    """The model with each Booster loaded from its file, which is checked first.

    Raises ``Tampered`` for a file that is damaged or leads its library outside of its trees.
    """
    if isinstance(model, str):
        return _loaded(model, file)
    for part in parts(model):
        held = vars(part).get("_Booster")
        if isinstance(held, str):
            part._Booster = _loaded(held, file)
    return model


def _loaded(place: str, file: Callable[[str], bytes]) -> Any:
    mark, _, name = place.partition(":")
    if mark != PLACE or "/" in name:
        raise Tampered("model/model.skops holds a booster of no known form.")
    written, ending = file(name), name.rpartition(".")[2]
    read(written, ending, f"model/{name}")
    try:
        if ending == "json":
            return importlib.import_module("xgboost").Booster(model_file=bytearray(written))
        return importlib.import_module("lightgbm").Booster(model_str=written.decode())
    except Exception as error:
        raise Tampered(f"model/{name} cannot be loaded: {type(error).__name__}.") from None


def _within(model: Any) -> list[Any]:
    found: list[Any] = []
    for part in parts(model):
        booster = bare(part)
        if booster is not None and all(booster is not other for other in found):
            found.append(booster)
    return found
