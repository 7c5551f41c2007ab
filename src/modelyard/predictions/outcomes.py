"""Which outcomes a model's answers can have."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelyard.records.package import Label, Task


def fitting(value: object, task: Task, classes: Sequence[Label], *, text: bool = False) -> Label | float:
    """The outcome as the model's target has it: one of its classes, or of a regression a finite float.

    ``1.0`` is the class ``1``, but ``true`` is not; with ``text`` a class may be written out, as CSV does. Raises
    ``ValueError`` that says what was wanted, for any other value.
    """
    if task == "regression":
        return _number(value, text=text)
    if task == "multilabel":
        raise ValueError("is of a model of several labels, whose outcomes are not kept yet")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    for label in classes:
        if type(label) is type(value) and label == value:
            return label
    if text and isinstance(value, str | bool | int):
        written = str(value).strip()
        for label in classes:
            if written == str(label) or (isinstance(label, bool) and written.lower() == str(label).lower()):
                return label
    shown = ", ".join(repr(label) for label in classes[:10]) + (", ..." if len(classes) > 10 else "")
    raise ValueError(f"is {_shown(value)}, which is none of the model's classes ({shown})")


def _number(value: object, *, text: bool) -> float:
    if text and isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"is {_shown(value)}, which is no number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is {_shown(value)}, which is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("is a number that is not finite")
    return number


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
