"""Whether answers are answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError
from modelyard.metrics import Answered, Quantiles
from modelyard.predictor import Answers
from modelyard.records.package import Manifest

_ROUNDING = 1e-6


def answered(answers: Answers, manifest: Manifest) -> Answered:
    """The answers as metrics take them."""
    quantiles = None if answers.quantiles is None else Quantiles(manifest.quantiles, answers.quantiles)
    return Answered(answers.prediction, answers.probability, quantiles)


def require_answers(answers: Answers, manifest: Manifest, rows: int, *, who: str) -> None:
    """``AuthorError`` unless there is one finite answer a row and, with probabilities, one a class."""
    shape = np.shape(answers.prediction)
    if shape != (rows,):
        raise AuthorError(
            f"The predictions of {who} have the shape {shape} where ({rows},) was asked for: "
            "return one answer for each row."
        )
    if manifest.task == "regression":
        try:
            numbers = np.asarray(answers.prediction, dtype=np.float64)
        except (TypeError, ValueError):
            raise AuthorError(
                f"The predictions of {who} are not numbers; a regression returns numbers."
            ) from None
        _require_finite(numbers, "prediction", who)
        if answers.quantiles is not None:
            _require_finite(answers.quantiles, "quantiles", who)
        return
    if answers.probability is None:
        return
    wanted = (rows, len(manifest.classes))
    if np.shape(answers.probability) != wanted:
        raise AuthorError(
            f"The probabilities of {who} have the shape {np.shape(answers.probability)} where {wanted} was "
            "asked for: return one column for each class."
        )
    _require_finite(answers.probability, "probability", who)
    outside = (answers.probability < -_ROUNDING) | (answers.probability > 1 + _ROUNDING)
    if outside.any():
        row = int(np.flatnonzero(outside.any(axis=1))[0])
        raise AuthorError(
            f"The probabilities of {who} leave 0 to 1 at test row {row}; return probabilities, not scores."
        )


def _require_finite(values: NDArray[np.float64], what: str, who: str) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad.reshape(len(values), -1).any(axis=1))[0])
        raise AuthorError(
            f"The {what} of {who} is not a number at test row {row} "
            f"({int(bad.sum())} such in all); handle missing values in the model's pipeline."
        )
