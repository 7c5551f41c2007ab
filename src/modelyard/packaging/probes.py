"""Rows on which a compiled model is held against the trained one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import Unconvertible
from modelyard.packaging import boosted
from modelyard.packaging.labelwise import alone
from modelyard.predictor.boosters import library
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.parts import parts
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, concat, to_frame

_ROWS = 2000
_BASES = 20
_PAIRS = 400
_COLUMNS = 40
_WIDE = 12
_FLOATS = (np.inf, -np.inf, 1e300, -1e300, 3.5e38, -3.4e38, 1e-300, 16777217.0, 0.1, -0.0)
_WHOLE = (2.0**53, -(2.0**53), 2.0**24 + 1, -1.0, 0.0)
_DAYS = (-719162.0, 2932896.0)
"""The years 1 and 9999."""


def sample(test: Batch) -> Batch:
    """The test split, evenly thinned to a bounded number of rows."""
    return test.take(np.unique(np.linspace(0, len(test) - 1, min(len(test), _ROWS)).astype(np.intp)))


def permuted(test: Batch, *, seed: int = 0) -> Batch:
    """Each column shuffled apart from the others: combinations that no table shows."""
    rng = np.random.default_rng(seed)
    rows = sample(test)
    return concat([_shuffled(rows, rng), _shuffled(rows, rng)])


def _shuffled(rows: Batch, rng: np.random.Generator) -> Batch:
    return Batch(rng.permuted(rows.numbers, axis=0), rng.permuted(rows.texts, axis=0))


def nulls(test: Batch, schema: Schema) -> Batch:
    """Each feature that may be null, null; then all of them. Others the schema check keeps out."""
    made, every = [_bases(test, 0)], _bases(test)
    for at, _, texts in _places(schema, lambda column: column.nullable):
        rows = _bases(test, 5)
        _set(rows, at, texts, None if texts else np.nan)
        _set(every, at, texts, None if texts else np.nan)
        made.append(rows)
    return concat([*made, every]) if len(made) > 1 else made[0]


def unknown(test: Batch, schema: Schema) -> Batch:
    """Texts that no row has, and numbers beside or between those that rows have."""
    made = [_bases(test, 0)]
    for at, column, texts in _places(schema, lambda _: True):
        values: list[Any] = []
        if texts:
            known = next((value for value in test.texts[:, at] if value), "a")
            values = ["\u2603 nowhere seen", "", "None", "nan", f" {known}", known.swapcase(), f"{known} "]
        elif column.kind in ("integer", "float") and len(test):
            low, high = (
                np.nanmin(test.numbers[:, at], initial=0.0),
                np.nanmax(test.numbers[:, at], initial=0.0),
            )
            values = [np.floor(low) - 1, np.ceil(high) + 1]
            values += [np.floor((low + high) / 2) + 0.5] if column.kind == "float" else []
        made += [_with(test, at, texts, value) for value in values]
    return concat(made)


def large(test: Batch, schema: Schema) -> Batch:
    """Magnitudes at which float32 or an integer gives way, one column of one row at a time."""
    made = [_bases(test, 0)]
    numbers = _places(schema, lambda column: column.kind not in ("string", "boolean"))
    step = max(1, -(-len(numbers) // _WIDE))
    for at, column, _ in numbers[::step]:
        values = {"float": _FLOATS, "integer": _WHOLE, "date": _DAYS}.get(
            column.kind, tuple(day * 86_400_000_000 for day in _DAYS)
        )
        made += [_with(test, at, False, value) for value in values]
    return concat(made)


def thresholds(fitted: Fitted, test: Batch, schema: Schema) -> Batch:
    """Rows on both sides of the trees' thresholds, neighbours in float64 and in float32.

    The thresholds lie behind the preprocessing, so each is found from the raw column by bisection
    through the trained preprocessing itself. No rows for a model without trees. Raises ``Unconvertible``
    when they cannot be found, since a proof without them would be none.
    """
    if parted := alone(fitted):
        return concat([thresholds(one, test, schema) for one in parted])
    if not _has_trees(fitted.model):
        return _bases(test, 0)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _thresholds(fitted, sample(test), schema)
    except Exception as error:
        line = (str(error).strip().splitlines() or ["no message"])[0]
        raise Unconvertible(f"its trees' thresholds cannot be probed ({line[:200]})") from error


def _has_trees(model: Any) -> bool:
    return bool(library(model)) or any(
        hasattr(part, "tree_") or isinstance(part, boosted.types()) for part in parts(model)
    )


def _thresholds(fitted: Fitted, test: Batch, schema: Schema) -> Batch:
    model = getattr(fitted.model, "best_estimator_", fitted.model)
    head = model[:-1] if hasattr(model, "steps") and len(model.steps) > 1 else None

    def before(rows: Batch) -> NDArray[np.float64]:
        frame = to_frame(rows, schema, fitted.frame)
        made = frame if head is None else head.transform(frame)
        made = made.toarray() if hasattr(made, "toarray") else made
        return np.asarray(made, dtype=np.float64)

    base = _bases(test)
    width = before(base).shape[1]
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    pairs = _pairs(final, width)
    drivers = _drivers(before, base, test) if pairs else {}
    pairs = [pair for pair in pairs if pair[0] in drivers]
    if not pairs:
        return _bases(test, 0)
    feature = np.array([pair[0] for pair in pairs])
    value = np.array([pair[1] for pair in pairs])
    single = np.array([pair[2] for pair in pairs])
    strict = np.array([pair[3] for pair in pairs])
    column = np.array([drivers[f] for f in feature])
    rows = base.take(np.arange(len(pairs)) % len(base))
    numbers, each = rows.numbers, np.arange(len(pairs))
    lowest, highest = np.nanmin(test.numbers, axis=0), np.nanmax(test.numbers, axis=0)
    span = (highest - lowest + 1)[column]
    low, high = lowest[column] - 3 * span, highest[column] + 3 * span

    def below(x: NDArray[np.float64]) -> NDArray[np.bool_]:
        moved = numbers.copy()
        moved[each, column] = x
        made = before(Batch(moved, rows.texts))[each, feature]
        made = np.where(single, made.astype(np.float32).astype(np.float64), made)
        found: NDArray[np.bool_] = np.where(strict, made < value, made <= value)
        return found

    start, end = below(low), below(high)
    crossed = start != end
    for _ in range(70):
        middle = low + (high - low) / 2
        same = below(middle) == start
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    made = []
    near = np.float32
    around: tuple[NDArray[Any], ...] = (
        low,
        high,
        np.nextafter(low.astype(near), near(-np.inf)).astype(np.float64),
        np.nextafter(high.astype(near), near(np.inf)).astype(np.float64),
    )
    kinds = [c.kind for c in schema.features if c.kind != "string"]
    whole = np.array([kind != "float" for kind in kinds])[column]
    truth = np.array([kind == "boolean" for kind in kinds])[column]
    for x in around:
        moved = numbers.copy()
        # a whole number, a day or a yes has no neighbour closer than 1
        x = np.where(whole, np.where(x <= low, np.floor(x), np.ceil(x)), x)
        moved[each, column] = np.where(truth, np.clip(x, 0, 1), x)
        made.append(Batch(moved, rows.texts).take(crossed))
    return concat(made)


def _pairs(final: Any, width: int) -> list[tuple[int, float, bool, bool]]:
    """(feature, threshold, taken as float32, only what is below goes left), at most so many."""
    found: set[tuple[int, float, bool, bool]] = set()
    for part in (final,) if library(final) else parts(final):
        tree = getattr(part, "tree_", None)
        if tree is not None and getattr(part, "n_features_in_", None) == width:
            inner = tree.children_left != -1
            places, values = tree.feature[inner].tolist(), tree.threshold[inner].tolist()
            found |= {(at, value, True, False) for at, value in zip(places, values, strict=True)}
        forest = boosted.forest(part)
        for boosted_tree in forest.trees if forest is not None and forest.features == width else ():
            inner = boosted_tree.left != -1
            places, values = boosted_tree.feature[inner].tolist(), boosted_tree.value[inner].tolist()
            single = forest is not None and forest.single
            found |= {(at, value, single, single) for at, value in zip(places, values, strict=True)}
    ordered = sorted(found)
    step = max(1, -(-len(ordered) // _PAIRS))
    return ordered[::step]


def _drivers(before: Callable[[Batch], NDArray[np.float64]], base: Batch, test: Batch) -> dict[int, int]:
    """For each feature behind the preprocessing, a raw column that moves it."""
    found: dict[int, int] = {}
    still = before(base)
    for column in range(test.numbers.shape[1]):
        low, high = np.nanmin(test.numbers[:, column]), np.nanmax(test.numbers[:, column])
        moved = base.numbers.copy()
        moved[:, column] = np.where(moved[:, column] == high, low, high)
        changed = before(Batch(moved, base.texts)) != still
        for feature in np.flatnonzero(changed.any(axis=0)).tolist():
            found.setdefault(feature, column)
    return found


def _bases(test: Batch, rows: int = _BASES) -> Batch:
    taken = test.take(np.linspace(0, len(test) - 1, min(rows, len(test))).astype(np.intp))
    return Batch(taken.numbers.copy(), taken.texts.copy())


def _places(schema: Schema, wanted: Callable[[Column], bool]) -> list[tuple[int, Column, bool]]:
    """(position, column, in texts) of the wanted features, at most some of each."""
    numbers = [c for c in schema.features if c.kind != "string"]
    texts = [c for c in schema.features if c.kind == "string"]
    found = [(at, c, False) for at, c in enumerate(numbers) if wanted(c)][:_COLUMNS]
    return found + [(at, c, True) for at, c in enumerate(texts) if wanted(c)][:_COLUMNS]


def _with(test: Batch, at: int, texts: bool, value: Any) -> Batch:
    rows = _bases(test, 1)
    _set(rows, at, texts, value)
    return rows


def _set(rows: Batch, at: int, texts: bool, value: Any) -> None:
    (rows.texts if texts else rows.numbers)[:, at] = value
