"""Folds of the training rows to measure trials by; the test split has no part in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import DataRefused, SettingsError
from modelyard.records.dataset import Split
from modelyard.records.schema import Schema

if TYPE_CHECKING:
    import polars as pl

FOLDS = 5
"""Where neither the settings nor the dataset's split say how many."""


class Dealt(NamedTuple):
    """``fold`` [n] integers; those of ``scored`` are measured one after the other."""

    fold: NDArray[np.int64]
    scored: tuple[int, ...]
    forward: bool
    """Learn from folds of smaller numbers only, as from rows that are earlier."""


def deal(
    frame: pl.DataFrame,
    target: NDArray[Any],
    *,
    schema: Schema,
    split: Split,
    folds: int | None,
    seed: int,
    classes: bool,
) -> Dealt:
    """Deal the training rows as their split asks.

    The split's own folds where it has some; by time in order, each fold learnt from those before; else at
    random by the seed, rows of one group (without a key, equal rows) together and the classes even, of several labels
    the rarest that each row holds.
    Raises ``SettingsError`` when ``folds`` do not fit that, ``DataRefused`` when there is too little to deal.
    """
    from modelyard.tables.split import FOLD

    if FOLD in frame.columns:
        own = frame[FOLD].cast(int).to_numpy().astype(np.int64)
        if folds is not None and folds != split.folds:
            raise SettingsError(
                f"The dataset's split deals {split.folds} folds, 'tune' asks for {folds}; take 'folds' out of one of them."
            )
        return Dealt(own, tuple(int(number) for number in np.unique(own)), False)
    count = folds or FOLDS
    if split.time:
        return _by_time(frame[split.time], count)
    return Dealt(
        _at_random(_units(frame, schema, split), target, count, seed, classes), tuple(range(count)), False
    )


def _by_time(times: pl.Series, count: int) -> Dealt:
    """Rows of equal time are in one fold; the first fold is only learnt from."""
    _, moment, rows = np.unique(times.to_physical().to_numpy(), return_inverse=True, return_counts=True)
    if len(rows) <= count:
        raise DataRefused(
            f"'{times.name}' has {len(rows)} distinct times in the training split, too few for {count} folds "
            "with something before each; set fewer 'folds' in 'tune'."
        )
    # A moment's fold is where the middle of its rows stands; then every fold is given a moment at least.
    middle = np.cumsum(rows) - rows / 2
    fold = np.floor(middle * (count + 1) / rows.sum()).astype(np.int64)
    for at in range(1, len(fold)):
        fold[at] = min(fold[at], fold[at - 1] + 1)
    fold[0] = 0
    least = count - np.arange(len(fold))[::-1]
    return Dealt(np.maximum(fold, least)[moment], tuple(range(1, count + 1)), True)


def _units(frame: pl.DataFrame, schema: Schema, split: Split) -> NDArray[np.intp]:
    """[n] numbers, equal for rows that must not be parted."""
    from modelyard.tables.rowhash import row_hashes

    if not split.group and schema.key:
        return np.arange(frame.height)
    names = split.group or tuple(column.name for column in schema.features)
    _, unit = np.unique(row_hashes(frame, names), return_inverse=True)
    return unit


def _at_random(
    unit: NDArray[np.intp], target: NDArray[Any], count: int, seed: int, classes: bool
) -> NDArray[np.int64]:
    """Deal units round by round: by the rarest class they hold, large ones first, in an order that the seed draws."""
    size = np.bincount(unit)
    label = np.zeros(len(size), dtype=np.intp)
    if target.ndim == 2:
        code = _scarcest(target, count)
        label, _ = _rarest(unit, code, len(size), target.shape[1] + 1)
    elif classes:
        names, code = np.unique(target.astype(str) if target.dtype == object else target, return_inverse=True)
        label, held = _rarest(unit, code, len(size), len(names))
        few = count if len(names) == 2 else 2
        if held.min() < few:
            name, what = names[held.argmin()], "groups or rows" if size.max() > 1 else "rows"
            raise DataRefused(
                f"Class '{name}' has {held.min()} {what} in the training split, too few for {count} folds; "
                "set fewer 'folds' in 'tune' or add rows of that class."
            )
    if len(size) < count:
        raise DataRefused(
            f"The training split has {len(size)} groups of rows, too few for {count} folds; set fewer 'folds' in 'tune'."
        )
    order = np.lexsort((np.random.default_rng(seed).random(len(size)), -size, label))
    fold = np.empty(len(size), dtype=np.int64)
    fold[order] = np.arange(len(size)) % count
    return fold[unit]


def _scarcest(target: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """[n] the label that the fewest rows hold, of those that a row holds; the number of labels where it holds none."""
    held = target.sum(axis=0)
    if held.min() < count:
        raise DataRefused(
            f"A label holds in {held.min()} rows of the training split, too few for {count} folds; set fewer 'folds' in "
            "'tune' or add such rows."
        )
    order = np.argsort(held, kind="stable")
    found: NDArray[np.intp] = np.where(
        target.any(axis=1), order[target[:, order].argmax(axis=1)], target.shape[1]
    )
    return found


def _rarest(
    unit: NDArray[np.intp], code: NDArray[np.intp], units: int, classes: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rarest class that each unit holds, to deal it by; and how many units hold each class."""
    pairs = np.unique(unit * classes + code)
    rank = np.argsort(np.argsort(-np.bincount(code, minlength=classes), kind="stable"))
    order = np.argsort(rank[pairs % classes], kind="stable")
    label = np.zeros(units, dtype=np.intp)
    label[pairs[order] // classes] = pairs[order] % classes  # the last one written is the rarest
    return label, np.bincount(pairs % classes, minlength=classes)
