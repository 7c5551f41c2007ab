"""What a table's columns look like: counts on a reference's edges, mergeable in any order (NumPy only).

The reference's profile chooses the edges (``anchor``); windows are counted on them (``count``) and
added up (``merge``). Counts are integers, so that merging is associative and commutative and any
split of the same rows gives the same ``identity``.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import DataRefused
from modelyard.records.package import Label, Task
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Kind, Schema
from modelyard.tables.batch import Batch

BINS = 256
UNSEEN = 32
"""Labels outside the reference that are counted by name: the first in sorted order, so that any split agrees."""
LABEL = 200
"""Longer labels are free text: counted, never kept."""
PREDICTION, PROBABILITY = "prediction", "probability"
_LARGEST = float(np.finfo(np.float64).max)


def anchor(batch: Batch, schema: Schema, *, bins: int = BINS) -> Profile:
    """Choose edges from the batch's own values and count it on them.

    ``bins`` is at least 2. A number column with at most ``bins`` distinct finite values has one edge a value,
    so that its counts are exact; another has edges at its quantiles. A string column lists its ``bins``
    most frequent labels. Columns stand in the order of ``schema.features``.
    """
    numbers, texts = iter(batch.numbers.T), iter(batch.texts.T)
    return Profile(
        rows=len(batch),
        columns=tuple(
            _anchor_column(c.name, c.kind, next(texts if c.kind == "string" else numbers), bins)
            for c in schema.features
        ),
    )


def count(batch: Batch, anchored: Profile) -> Profile:
    """Count a batch on the edges of ``anchored``; its columns are those the profile was made of."""
    numbers, texts = iter(batch.numbers.T), iter(batch.texts.T)
    return Profile(
        rows=len(batch),
        columns=tuple(
            _count_column(next(texts if c.kind == "string" else numbers), c) for c in anchored.columns
        ),
    )


def anchor_answers(
    prediction: NDArray[Any],
    probability: NDArray[np.float64] | None,
    *,
    task: Task,
    classes: Sequence[Label] = (),
    bins: int = BINS,
) -> Profile:
    """The profile of a model's answers on reference rows.

    ``prediction`` is [n]; ``probability`` is [n, c] or None. The columns are ``prediction`` (the label as
    text, listing all ``classes``; or a number) and, for a classification with probabilities, ``probability``:
    that of the last class of two, else that of the most likely class. Of several labels each has a column of yes and no
    by its name, and with probabilities ``probability of NAME``.
    """
    if task == "regression":
        values = np.asarray(prediction, dtype=np.float64)
        return Profile(
            rows=len(values), columns=(_anchor_numbers(PREDICTION, "float", values, bins, nulls=False),)
        )
    if task == "multilabel":
        return Profile(rows=len(prediction), columns=_anchor_labels(prediction, probability, classes, bins))
    listed = _listed(PREDICTION, "string", (label_text(c) for c in classes))
    columns = [_count_texts(map(label_text, prediction.tolist()), listed)]
    if probability is not None:
        columns.append(_anchor_numbers(PROBABILITY, "float", shown(probability), bins, nulls=False))
    return Profile(rows=len(prediction), columns=tuple(columns))


def count_answers(
    prediction: NDArray[Any], probability: NDArray[np.float64] | None, anchored: Profile
) -> Profile:
    """Count answers on the edges of ``anchored``, the profile that ``anchor_answers`` made."""
    columns = []
    names = [column.name for column in anchored.columns if column.kind == "boolean"]
    for column in anchored.columns:
        if column.kind == "boolean":
            columns.append(_count_column(_holds(prediction, column.name), column))
        elif names:
            if probability is None:
                raise DataRefused("The answers hold no probability, but the reference answers do.")
            at = names.index(column.name.removeprefix(f"{PROBABILITY} of "))
            columns.append(_count_numbers(np.ascontiguousarray(probability[:, at]), column, nulls=False))
        elif column.kind == "string":
            columns.append(_count_texts(map(label_text, prediction.tolist()), column))
        elif column.name == PREDICTION:
            columns.append(_count_numbers(np.asarray(prediction, dtype=np.float64), column, nulls=False))
        elif probability is None:
            raise DataRefused("The answers hold no probability, but the reference answers do.")
        else:
            columns.append(_count_numbers(shown(probability), column, nulls=False))
    return Profile(rows=len(prediction), columns=tuple(columns))


def _anchor_labels(
    prediction: NDArray[Any], probability: NDArray[np.float64] | None, labels: Sequence[Label], bins: int
) -> tuple[ColumnProfile, ...]:
    columns = []
    for at, label in enumerate(map(str, labels)):
        listed = _listed(label, "boolean", ("false", "true"))
        columns.append(_count_column(_holds(prediction, label), listed))
        if probability is not None:
            numbers = np.ascontiguousarray(probability[:, at])
            columns.append(_anchor_numbers(f"{PROBABILITY} of {label}", "float", numbers, bins, nulls=False))
    return tuple(columns)


def _holds(prediction: NDArray[Any], label: str) -> NDArray[np.float64]:
    return np.array([label in held for held in prediction.tolist()], dtype=np.float64)


def merge(a: Profile, b: Profile) -> Profile:
    """The profile of both profiles' rows; raises ``DataRefused`` when they were counted on different edges."""
    mine, other = [c.name for c in a.columns], [c.name for c in b.columns]
    if mine != other:
        raise DataRefused(
            f"Profiles of different columns cannot be merged: {', '.join(mine)} and {', '.join(other)}."
        )
    return Profile(rows=a.rows + b.rows, columns=tuple(map(_merge_columns, a.columns, b.columns)))


def identity(profile: Profile) -> str:
    """The sha256 of all that is exact: everything but mean and M2."""
    exact = msgspec.structs.replace(
        profile, columns=tuple(msgspec.structs.replace(c, mean=0.0, m2=0.0) for c in profile.columns)
    )
    return hashlib.sha256(msgspec.json.encode(exact, order="sorted")).hexdigest()


def label_text(label: object) -> str:
    """A class or a category as profiles name it: ``true`` and ``false`` for booleans, else its text."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _anchor_column(name: str, kind: Kind, values: NDArray[Any], bins: int) -> ColumnProfile:
    if kind == "boolean":
        return _count_column(values, _listed(name, kind, ("false", "true")))
    if kind == "string":
        seen = Counter(v for v in values.tolist() if v is not None and len(v) <= LABEL)
        frequent = sorted(seen, key=lambda label: (-seen[label], label))[:bins]
        return _count_texts(values.tolist(), _listed(name, kind, frequent))
    return _anchor_numbers(name, kind, values, bins)


def _count_column(values: NDArray[Any], anchored: ColumnProfile) -> ColumnProfile:
    if anchored.kind == "string":
        return _count_texts(values.tolist(), anchored)
    if anchored.kind == "boolean":
        texts = (None if v != v else "true" if v else "false" for v in values.tolist())
        return _count_texts(texts, anchored)
    return _count_numbers(values, anchored)


def _anchor_numbers(
    name: str, kind: Kind, values: NDArray[np.float64], bins: int, *, nulls: bool = True
) -> ColumnProfile:
    ordered = np.sort(values)
    finite = ordered[_span(ordered)]
    return _count_ordered(ordered, _blank(name, kind, _edges(finite, bins)), nulls)


def on_edges(
    name: str, kind: Kind, values: NDArray[np.float64], *, low: float | None = None
) -> ColumnProfile:
    """A number column without rows: edges at these values, and one just below the least (``low`` if given)."""
    return _blank(name, kind, _with_first(np.unique(values), low))


def on_labels(name: str, kind: Kind, labels: Iterable[str]) -> ColumnProfile:
    """A string or boolean column without rows, listing these labels."""
    return _listed(name, kind, labels)


def count_numbers(values: NDArray[np.float64], anchored: ColumnProfile) -> ColumnProfile:
    """The profile of a number column's values [n], NaN for null, on the edges of ``anchored``."""
    return _count_numbers(values, anchored)


def _blank(name: str, kind: Kind, edges: NDArray[np.float64]) -> ColumnProfile:
    sha256 = hashlib.sha256(edges.tobytes()).hexdigest()
    return ColumnProfile(name=name, kind=kind, edges=tuple(edges.tolist()), edges_sha256=sha256)


def _edges(finite: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Edges for ``finite`` (sorted): just below the least, then values at the quantiles, the greatest last."""
    if not len(finite):
        return np.empty(0, dtype="<f8")
    distinct = finite[np.concatenate(([True], finite[1:] != finite[:-1]))]
    if len(distinct) > bins:
        ranks = -(-np.arange(1, bins + 1) * len(finite) // bins) - 1
        distinct = np.unique(finite[ranks])
    return _with_first(distinct, float(finite[0]))


def _with_first(distinct: NDArray[np.float64], low: float | None = None) -> NDArray[np.float64]:
    if not len(distinct):
        return np.empty(0, dtype="<f8")
    below = max(math.nextafter(float(distinct[0] if low is None else low), -math.inf), -_LARGEST)
    return np.unique(np.concatenate(([below], distinct)) + 0.0).astype("<f8")


def _span(ordered: NDArray[np.float64]) -> slice:
    """Where the finite values stand in a sorted array (NaN last)."""
    low = np.searchsorted(ordered, -np.inf, side="right")
    return slice(int(low), int(np.searchsorted(ordered, np.inf, side="left")))


def _count_numbers(
    values: NDArray[np.float64], anchored: ColumnProfile, *, nulls: bool = True
) -> ColumnProfile:
    return _count_ordered(np.sort(values), anchored, nulls)


def _count_ordered(ordered: NDArray[np.float64], anchored: ColumnProfile, nulls: bool) -> ColumnProfile:
    """Counting by the edges' places among sorted values costs less than looking each value's bin up."""
    span = _span(ordered)
    finite = ordered[span]
    known = int(np.searchsorted(ordered, np.nan, side="left"))
    absent = len(ordered) - known
    places = np.searchsorted(finite, np.array(anchored.edges, dtype=np.float64), side="right")
    mean, m2 = _moments(finite)
    return ColumnProfile(
        name=anchored.name,
        kind=anchored.kind,
        rows=len(ordered),
        nulls=absent if nulls else 0,
        nans=0 if nulls else absent,
        positive_infinities=known - span.stop,
        negative_infinities=span.start,
        minimum=float(finite[0]) + 0.0 if len(finite) else None,
        maximum=float(finite[-1]) + 0.0 if len(finite) else None,
        mean=mean,
        m2=m2,
        edges=anchored.edges,
        edges_sha256=anchored.edges_sha256,
        counts=tuple(np.diff(places, prepend=0, append=len(finite)).tolist()),
    )


def _moments(finite: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and sum of squared distances from it, held within float64 whatever the values."""
    if not len(finite):
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(finite.mean())
        if not math.isfinite(mean):
            mean = float((finite / len(finite)).sum())
        distances = finite - mean
        m2 = float((distances * distances).sum())
    return mean, min(m2, _LARGEST)


def _listed(name: str, kind: Kind, labels: Iterable[str]) -> ColumnProfile:
    """A string or boolean column without rows, listing these labels."""
    names = sorted(set(labels))
    sha256 = hashlib.sha256(msgspec.json.encode(names)).hexdigest()
    return ColumnProfile(name=name, kind=kind, categories=dict.fromkeys(names, 0), edges_sha256=sha256)


def _count_texts(values: Iterable[str | None], anchored: ColumnProfile) -> ColumnProfile:
    return count_labels(Counter(values), anchored)


def count_labels(counts: Mapping[str | None, int], anchored: ColumnProfile) -> ColumnProfile:
    """The profile of a string or boolean column from how often each label comes (None: null)."""
    seen = Counter(counts)
    nulls = seen.pop(None, 0)
    listed = {label: seen.pop(label, 0) for label in anchored.categories}
    unseen = {label: n for label, n in seen.items() if label is not None and len(label) <= LABEL}
    kept = _first(unseen)
    return ColumnProfile(
        name=anchored.name,
        kind=anchored.kind,
        rows=seen.total() + sum(listed.values()) + nulls,
        nulls=nulls,
        edges_sha256=anchored.edges_sha256,
        categories=listed,
        unseen=kept,
        other=seen.total() - sum(kept.values()),
    )


def _first(unseen: dict[str, int]) -> dict[str, int]:
    """A label among the first of a whole is among the first of every part that holds it: counts stay exact."""
    return {label: unseen[label] for label in sorted(unseen)[:UNSEEN]}


def _merge_columns(a: ColumnProfile, b: ColumnProfile) -> ColumnProfile:
    if (a.kind, a.edges_sha256) != (b.kind, b.edges_sha256):
        raise DataRefused(
            f"The profiles of '{a.name}' were counted on different edges; count both on the same reference."
        )
    unseen = dict(Counter(a.unseen) + Counter(b.unseen))
    kept = _first(unseen)
    mean, m2 = _merged_moments(a, b)
    low = [x for x in (a.minimum, b.minimum) if x is not None]
    high = [x for x in (a.maximum, b.maximum) if x is not None]
    return ColumnProfile(
        name=a.name,
        kind=a.kind,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        nans=a.nans + b.nans,
        positive_infinities=a.positive_infinities + b.positive_infinities,
        negative_infinities=a.negative_infinities + b.negative_infinities,
        minimum=min(low, default=None),
        maximum=max(high, default=None),
        mean=mean,
        m2=m2,
        edges=a.edges,
        edges_sha256=a.edges_sha256,
        counts=tuple(x + y for x, y in zip(a.counts, b.counts, strict=True)),
        categories={label: n + b.categories[label] for label, n in a.categories.items()},
        unseen=kept,
        other=a.other + b.other + sum(unseen.values()) - sum(kept.values()),
    )


def _merged_moments(a: ColumnProfile, b: ColumnProfile) -> tuple[float, float]:
    """Chan, Golub and LeVeque (1983), equation 2.1."""
    n, m = sum(a.counts), sum(b.counts)
    if not n or not m:
        return (b.mean, b.m2) if m else (a.mean, a.m2)
    share = m / (n + m)
    gap = b.mean - a.mean
    if not math.isfinite(gap):
        return a.mean * (1 - share) + b.mean * share, _LARGEST
    return a.mean + gap * share, min(a.m2 + b.m2 + gap * gap * n * share, _LARGEST)


def shown(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    shown: NDArray[np.float64] = probability[:, -1] if probability.shape[1] == 2 else probability.max(axis=1)
    return shown
