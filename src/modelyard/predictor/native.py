"""Asking a trained model in Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError
from modelyard.predictor import multilabel
from modelyard.predictor.answers import Answers, decide, label_array, of_labels, of_quantiles
from modelyard.predictor.boosters import ask as ask_bare
from modelyard.predictor.boosters import library
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.modules import ask as ask_module
from modelyard.predictor.modules import is_module
from modelyard.tables.batch import Batch, to_frame
from modelyard.tables.held import lists

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import Label
    from modelyard.records.schema import Schema


def answer(fitted: Fitted, batch: Batch, schema: Schema, *, frame: Any = None) -> Answers:
    """What the trained model answers for these rows, rebuilt as the frame it was fitted on, unless ``frame`` is that.

    The author's ``predict(model, rows)`` may return probabilities [n, c] in the order of the classes,
    labels [n], or, for a regression, numbers [n], of quantiles [n, levels]. Of several labels it returns [n, labels]:
    booleans (or 0 and 1), or probabilities. Without it a classifier's
    ``predict_proba`` (else its ``predict``) and a regressor's ``predict`` answer; of a list of regressors, one a
    quantile, each gives its column.

    Raises ``AuthorError`` when the model raises, or gives something of another shape, a number that
    is not finite, or a label that is not one of the classes.
    """
    who, given = _asked(fitted, to_frame(batch, schema, fitted.frame) if frame is None else frame)
    n = len(batch)
    if fitted.quantiles:
        return _quantiles(given, n, fitted.quantiles, who)
    if fitted.task == "regression":
        return Answers(_numbers(given, n, who))
    if fitted.task == "multilabel":
        return _held(given, n, fitted, who)
    if given.ndim == 2 and who.endswith("predict_proba"):
        given = _ordered(given, fitted)
    if given.ndim == 2 and (given.shape[1] != 1 or len(fitted.classes) == 1):
        probability = _probabilities(given, n, len(fitted.classes), who)
        return Answers(decide(probability, label_array(fitted.classes)), probability)
    return Answers(_labels(given, n, fitted.classes, who))


def _asked(fitted: Fitted, rows: Any) -> tuple[str, NDArray[Any]]:
    ask: Callable[..., Any]
    arguments: tuple[Any, ...]
    if fitted.predict is not None:
        who, ask, arguments = "predict in model.py", fitted.predict, (fitted.model, rows)
    elif booster := library(fitted.model):
        who, ask, arguments = f"{booster}.Booster.predict", ask_bare, (fitted.model, rows, fitted.task)
    elif is_module(fitted.model):
        who, ask, arguments = type(fitted.model).__name__, ask_module, (fitted.model, rows, fitted.task)
    elif fitted.task == "multilabel" and isinstance(fitted.model, list):
        who, ask, arguments = "The list of classifiers", multilabel.each, (fitted.model, rows)
    elif fitted.quantiles and isinstance(fitted.model, list):
        who, ask, arguments = "The list of regressors", _each, (fitted.model, rows)
    else:
        proba = fitted.task != "regression" and hasattr(fitted.model, "predict_proba")
        name = "predict_proba" if proba else "predict"
        who, arguments = f"{type(fitted.model).__name__}.{name}", (rows,)
        if not hasattr(fitted.model, name):
            raise AuthorError(
                f"The model is a {type(fitted.model).__name__} without 'predict'; "
                "write a function 'predict(model, rows)' in model.py."
            )
        ask = getattr(fitted.model, name)
    try:
        with warnings.catch_warnings():
            # an unknown category is answered as the encoder was told to; the check counts it elsewhere
            warnings.filterwarnings("ignore", message="Found unknown categories", category=UserWarning)
            # LightGBM makes up names for the columns of an array, and then misses them
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            told = ask(*arguments)
            given = multilabel.matrix(told, fitted.model) if fitted.task == "multilabel" else np.asarray(told)
    except AuthorError:
        raise
    except (Exception, SystemExit) as error:  # an author's sys.exit() is no way to end the service
        raise AuthorError(f"{who} raised {type(error).__name__}: {_line(error)}") from error
    return who, given


def _each(models: list[Any], rows: Any) -> NDArray[Any]:
    return np.column_stack([np.asarray(model.predict(rows)).reshape(-1) for model in models])


def _quantiles(given: NDArray[Any], n: int, levels: tuple[float, ...], who: str) -> Answers:
    if given.shape == (n,) and len(levels) == 1:
        given = given.reshape(n, 1)
    if given.shape != (n, len(levels)):
        raise AuthorError(
            f"{who} gave an array of shape {list(given.shape)} where [{n}, {len(levels)}] was expected: a number "
            f"for each of the quantiles {', '.join(f'{level:g}' for level in levels)}."
        )
    return of_quantiles(_finite(given, who), levels)


def _held(given: NDArray[Any], n: int, fitted: Fitted, who: str) -> Answers:
    classes = fitted.classes
    if given.shape != (n, len(classes)):
        raise AuthorError(
            f"{who} gave an array of shape {list(given.shape)} where [{n}, {len(classes)}] was expected: yes or no, or "
            f"a probability, for each of the labels {', '.join(map(str, classes))}."
        )
    values = _finite(given, who)
    if given.dtype.kind in "biu":
        if not np.isin(values, (0.0, 1.0)).all():
            raise AuthorError(f"{who} gave {given.max()}, which is neither yes (1) nor no (0).")
        return Answers(lists(values == 1.0, classes))
    if bool((values < 0).any() or (values > 1 + 1e-6).any()):
        raise AuthorError(
            f"{who} gave numbers that are no probabilities of the labels; they are to be from 0 to 1."
        )
    return of_labels(np.minimum(values, 1.0), classes, fitted.thresholds)


def _ordered(given: NDArray[Any], fitted: Fitted) -> NDArray[Any]:
    """The estimator's columns in the order of ``classes``; a class that it never saw gets 0."""
    known = getattr(fitted.model, "classes_", None)
    if known is None or len(known) != given.shape[1]:
        return given
    seen = [c.item() if isinstance(c, np.generic) else c for c in known]
    if tuple(seen) == fitted.classes or not set(seen) <= set(fitted.classes):
        return given
    columns = np.zeros((given.shape[0], len(fitted.classes)), dtype=given.dtype)
    columns[:, [fitted.classes.index(c) for c in seen]] = given
    return columns


def _probabilities(given: NDArray[Any], n: int, c: int, who: str) -> NDArray[np.float64]:
    if given.shape != (n, c):
        raise AuthorError(f"{who} gave an array of shape {list(given.shape)} where [{n}, {c}] was expected.")
    return _finite(given, who)


def _numbers(given: NDArray[Any], n: int, who: str) -> NDArray[np.float64]:
    if given.shape == (n, 1):
        given = given[:, 0]
    if given.shape != (n,):
        raise AuthorError(f"{who} gave an array of shape {list(given.shape)} where [{n}] was expected.")
    return _finite(given, who)


def _finite(given: NDArray[Any], who: str) -> NDArray[np.float64]:
    try:
        values = np.ascontiguousarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise AuthorError(f"{who} gave values that are not numbers.") from None
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise AuthorError(f"{who} gave {values[bad][0]} for row {row + 1}; every answer must be finite.")
    return values


def _labels(given: NDArray[Any], n: int, classes: tuple[Label, ...], who: str) -> NDArray[Any]:
    if given.shape == (n, 1):
        given = given[:, 0]
    if given.shape != (n,):
        raise AuthorError(
            f"{who} gave an array of shape {list(given.shape)} where labels [{n}] "
            f"or probabilities [{n}, {len(classes)}] were expected."
        )
    places = {label: at for at, label in enumerate(classes)}
    try:
        return label_array(classes)[[places[label] for label in given.tolist()]]
    except (KeyError, TypeError):
        other = next(v for v in given.tolist() if not _among(v, places))
        raise AuthorError(
            f"{who} gave {other!r}, which is none of the classes {list(classes)}; "
            "return labels or one probability a class."
        ) from None


def _among(value: Any, places: dict[Label, int]) -> bool:
    try:
        return value in places
    except TypeError:
        return False


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
