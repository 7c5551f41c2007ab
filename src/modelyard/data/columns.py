"""Columns that say too much, nothing, or the same as another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from modelyard.data import single
from modelyard.records.dataset import DataFinding
from modelyard.records.schema import Column, Schema
from modelyard.tables.infer import Seen

MOST_CLASSES = 20
LEAK_AUC = 0.995
"""A single honest measurement stays below: 0.975 is the best of the breast-cancer table's."""
LEAK_EXPLAINED = 0.99
SAME = 0.9995
"""Radius and perimeter of one nucleus correlate at 0.998 and are two measurements still."""
_UNIQUE = 0.95
_FEWEST = 50
"""Rows below which nothing is said about a column."""
_PER_CLASS = 10


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def constants(sample: pl.DataFrame, schema: Schema, seen: Mapping[str, Seen]) -> list[DataFinding]:
    """Features that say the same in every row, or nothing."""
    found = []
    for name in (c.name for c in schema.features):
        if seen[name].nulls + seen[name].nans == seen[name].rows:
            what = "has no value in any row"
        elif _is_one(seen[name]) and sample[name].n_unique() == 1:
            what = f"is {str(sample[name][0])[:50]} in every row"
        else:
            continue
        sentence = f"Column '{name}' {what}, so that nothing can be learnt from it; leave it out by 'drop' in 'transform'."
        found.append(DataFinding(kind="constant", columns=(name,), figure=1.0, sentence=sentence))
    return found


def _is_one(seen: Seen) -> bool:
    if seen.nulls or seen.nans or seen.infinities:
        return False
    return seen.low == seen.high if seen.low is not None else len(seen.distinct or ()) == 1


def _span(seen: Seen) -> float:
    """Greatest less least value, and 1."""
    return np.inf if seen.low is None or seen.high is None else seen.high - seen.low + 1


def target_leaks(train: pl.DataFrame, schema: Schema) -> list[DataFinding]:
    """Features that alone tell the target (almost) perfectly."""
    if train.height < _FEWEST:
        return []
    found = [one for name in schema.targets for one in _target_leaks(name, train, schema)]
    return sorted(found, key=lambda f: -f.figure)


def _target_leaks(target: str, train: pl.DataFrame, schema: Schema) -> list[DataFinding]:
    labels = train[target]
    numeric = labels.dtype.is_numeric()
    wanted = _floats(labels) if numeric else None
    if wanted is not None and (not np.isfinite(wanted).all() or wanted.min() == wanted.max()):
        return []
    classes = _classes(labels)
    if classes is None and wanted is None:
        return []
    found = []
    for column in schema.features:
        if classes is not None:
            figure, limit = _auc(train[column.name], column, classes), LEAK_AUC
            how = f"(area under the ROC curve {figure:.3f})"
        else:
            assert wanted is not None
            figure, limit = _explained(train[column.name], column, wanted), LEAK_EXPLAINED
            how = f"(it explains {percent(min(figure, 1.0))} of its variance)"
        if figure >= limit:
            sentence = (
                f"Column '{column.name}' alone tells '{target}' {how}: it may have been written "
                "after the outcome or from it; if so, leave it out by 'drop' in 'transform', "
                "for it will not be there when the model is asked."
            )
            found.append(
                DataFinding(kind="target_leak", columns=(column.name,), figure=figure, sentence=sentence)
            )
    return found


def identifiers(
    sample: pl.DataFrame, schema: Schema, seen: Mapping[str, Seen], *, rows: int, named: Callable[[str], bool]
) -> list[DataFinding]:
    """Features of which (nearly) every row has its own value."""
    found = []
    for column in schema.features:
        known = sample[column.name].drop_nulls()
        if column.kind not in ("string", "integer") or len(known) < _FEWEST:
            continue
        share = known.n_unique() / len(known)
        running = share == 1 and (named(column.name) or _span(seen[column.name]) <= 2 * rows)
        if share >= _UNIQUE and (column.kind == "string" or running):
            what = (
                "an identifier or free text"
                if column.kind == "string"
                else "an identifier or a running number"
            )
            sentence = (
                f"Column '{column.name}' has another value in nearly every row ({percent(share)} distinct), "
                f"like {what}: a model can only learn it by heart; make it the 'key', or leave it out by 'drop' in 'transform'."
            )
            found.append(
                DataFinding(kind="identifier", columns=(column.name,), figure=share, sentence=sentence)
            )
    return found


def same_columns(sample: pl.DataFrame, schema: Schema, *, aside: Sequence[str]) -> list[DataFinding]:
    """Sets of features that say the same: numbers on one line, labels that are only named otherwise."""
    if sample.height < _FEWEST:
        return []
    columns = [c for c in schema.features if c.name not in aside]
    found = []
    for group in (*_on_one_line(sample, columns), *_renamed(sample, columns)):
        names = tuple(name for name, _ in group)
        least = min(figure for _, figure in group)
        listed = ", ".join(f"'{n}'" for n in names[:8]) + (" and others" if len(names) > 8 else "")
        sentence = (
            f"Columns {listed} say the same (correlation {least:.4f} or more): one of them is enough; "
            "leave the others out by 'drop' in 'transform'."
        )
        found.append(DataFinding(kind="same_columns", columns=names, figure=least, sentence=sentence))
    return found


def _on_one_line(sample: pl.DataFrame, columns: list[Column]) -> list[list[tuple[str, float]]]:
    names, rows = [], []
    for column in columns:
        if column.kind == "string":
            continue
        values = _floats(sample[column.name])
        known = np.isfinite(values)
        if known.sum() < _FEWEST:
            continue
        values = np.where(known, values - values[known].mean(), 0.0)
        scale = np.sqrt(values @ values)
        if scale > 0 and np.isfinite(scale):
            names.append((column.name, known))
            rows.append(values / scale)
    if len(rows) < 2:
        return []
    matrix = np.stack(rows)
    near = np.abs(np.triu(matrix @ matrix.T, k=1))
    owner = list(range(len(names)))
    figures = [1.0] * len(names)
    for a, b in np.argwhere(near >= SAME).tolist():
        if np.array_equal(names[a][1], names[b][1]) and owner[b] == b:
            owner[b], figures[b] = owner[a], min(float(near[a, b]), 1.0)
    groups = [
        [(names[n][0], figures[n]) for n in range(len(names)) if owner[n] == first] for first in set(owner)
    ]
    return [group for group in groups if len(group) > 1]


def _renamed(sample: pl.DataFrame, columns: list[Column]) -> list[list[tuple[str, float]]]:
    alike: dict[bytes, list[tuple[str, float]]] = {}
    for column in columns:
        if column.kind == "string" and sample[column.name].n_unique() > 1:
            codes = sample[column.name].rank("dense").fill_null(0).to_numpy().astype(np.int64)
            _, first, place = np.unique(codes, return_index=True, return_inverse=True)
            order = np.argsort(np.argsort(first))
            alike.setdefault(order[place].tobytes(), []).append((column.name, 1.0))
    return [group for group in alike.values() if len(group) > 1]


def _classes(labels: pl.Series) -> list[np.ndarray[tuple[int], np.dtype[np.bool_]]] | None:
    """Which rows are of each class with enough rows; None when the target is a number or has too many."""
    counts = labels.value_counts(sort=True)
    if counts.height > MOST_CLASSES:
        return None
    kept = counts.filter((pl.col("count") >= _PER_CLASS) & (pl.col("count") <= labels.len() - _PER_CLASS))
    return [(labels == label).fill_null(False).to_numpy() for label in kept[labels.name]]


def _auc(
    series: pl.Series, column: Column, classes: list[np.ndarray[tuple[int], np.dtype[np.bool_]]]
) -> float:
    """Mean over the classes of the better of: the order of values, and bins."""
    if not classes:
        return 0.5
    codes = _codes(series, column)
    values = None if column.kind == "string" else np.nan_to_num(_floats(series), nan=-np.inf)
    found = []
    for positive in classes:
        figure = single.auc(codes, positive)
        if values is not None:
            ordered = single.ranked_auc(values, positive)
            figure = max(figure, ordered, 1 - ordered)
        found.append(figure)
    return float(np.mean(found))


def _explained(series: pl.Series, column: Column, wanted: single.Values) -> float:
    figure = single.explained(_codes(series, column), wanted)
    if column.kind == "string":
        return figure
    values = _floats(series)
    known = np.isfinite(values)
    if known.sum() < max(_FEWEST, 0.9 * known.size):
        return figure
    values, wanted = values[known], wanted[known]
    straight = single.correlation(values, wanted)
    ordered = single.correlation(single.ranks(values), single.ranks(wanted))
    return max(figure, straight**2, ordered**2)


def _codes(series: pl.Series, column: Column) -> single.Codes:
    if column.kind == "string":
        return series.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return single.bins(_floats(series))


def _floats(series: pl.Series) -> single.Values:
    plain = series.to_physical() if series.dtype.is_temporal() else series
    return plain.cast(pl.Float64).fill_null(float("nan")).to_numpy()
