"""What kind of answer a target asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import DataRefused, SettingsError
from modelyard.records.package import Label, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CLASSES = 20
"""An integer target with more distinct values is a number to regress, unless settings say otherwise."""


def tell(
    target: NDArray[Any], declared: Task | None = None, labels: tuple[str, ...] = ()
) -> tuple[Task, tuple[Label, ...]]:
    """The task and its classes, sorted; the last of two is the positive one; none for regression.

    With ``labels`` the target is [n, k] of yes and no, and they are the classes in their order.

    Booleans, strings and integers of at most 20 distinct values are classes. Raises
    ``DataRefused`` for a target that cannot be learnt (no rows, missing values, one value only)
    and ``SettingsError`` when ``declared`` does not fit it.
    """
    import numpy as np

    if len(target) == 0:
        raise DataRefused("There are no rows to train on; ingest a table with rows first.")
    if labels:
        return _labels(target, declared, labels)
    missing = _missing(target)
    if missing:
        raise DataRefused(
            f"The target is missing in {missing} of {len(target)} training rows; fill it in or drop these rows."
        )
    if target.dtype.kind == "f" and (endless := int(np.isinf(target).sum())):
        raise DataRefused(
            f"The target is infinite in {endless} of {len(target)} training rows; correct or drop these rows."
        )
    distinct = sorted(set(target.tolist())) if target.dtype == object else np.unique(target).tolist()
    if len(distinct) < 2:
        raise DataRefused(
            f"The target has one value only ({distinct[0]!r}) in {len(target)} training rows; "
            "there is nothing to tell apart."
        )
    kind = "O" if isinstance(distinct[0], str) else target.dtype.kind
    if kind not in "biuOf":
        raise DataRefused(f"The target is of type {target.dtype}; use a number, a boolean or a string.")
    found = _task(kind, len(distinct))
    if declared is None:
        return found, () if found == "regression" else tuple(distinct)
    _fits(declared, kind, len(distinct))
    return declared, () if declared == "regression" else tuple(distinct)


def _labels(
    target: NDArray[Any], declared: Task | None, labels: tuple[str, ...]
) -> tuple[Task, tuple[Label, ...]]:
    if declared not in (None, "multilabel"):
        raise SettingsError(
            f'task = "{declared}" has one target, and the dataset has {len(labels)} ({", ".join(labels)}); '
            'name one of them, or use "multilabel".'
        )
    for name, held in zip(labels, target.T, strict=True):
        if held.all() or not held.any():
            raise DataRefused(
                f"The label '{name}' is {str(bool(held[0])).lower()} in all {len(held)} training rows; there is nothing "
                "to tell apart, so add rows or leave the label out of 'target'."
            )
    return "multilabel", labels


def _missing(target: NDArray[Any]) -> int:
    if target.dtype == object:
        return sum(value is None or value != value for value in target)
    return int((target != target).sum())


def _task(kind: str, distinct: int) -> Task:
    if kind == "f" or (kind in "iu" and distinct > MOST_CLASSES):
        return "regression"
    return "binary" if distinct == 2 else "multiclass"


def _fits(declared: Task, kind: str, distinct: int) -> None:
    if declared == "multilabel":
        raise SettingsError(
            "task = \"multilabel\" needs several labels; list their columns in 'target' under [data.NAME]."
        )
    if declared == "regression" and kind in "Ob":
        what = "text" if kind == "O" else "a boolean"
        raise SettingsError(f'task = "regression" needs a number to predict, but the target is {what}.')
    if declared != "regression" and kind == "f":
        raise SettingsError(
            f'task = "{declared}" needs classes, but the target is a number with a fraction; '
            "write whole numbers or text."
        )
    if declared == "binary" and distinct != 2:
        raise SettingsError(
            f'task = "binary" needs two classes, but the target has {distinct}; use "multiclass".'
        )
