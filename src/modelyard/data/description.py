"""A dataset version described: all rows by their profile, relations by a look at some or all rows."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.data.bars import bars, quantile
from modelyard.data.relations import correlations, relation
from modelyard.records.datareport import Balance, Bar, ColumnReport, DataReport, Relation, Role, Spread
from modelyard.records.dataset import DatasetVersion
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Schema
from modelyard.tables.labels import holds
from modelyard.tables.split import SPLIT

LOOKED = 50_000
"""Rows that relations are taken from, evenly spread over a larger version."""
CLASSES = 6
"""Classes of the target told apart; of more the most frequent five and the rest."""
_MATRIX, _PAIRS, _WIDE = 16, 12, 400
_ENOUGH = 5
"""A mean of fewer rows is not told."""
_SHARES = {"5 %": 0.05, "25 %": 0.25, "50 %": 0.5, "75 %": 0.75, "95 %": 0.95}


def describe(version: DatasetVersion, profile: Profile, rows: pl.LazyFrame | None = None) -> DataReport:
    """The report on a version; without ``rows`` it tells what the profile tells.

    ``rows`` has the schema's columns and the split; what is more than ``LOOKED`` rows is thinned evenly.
    """
    looked = None if rows is None else _look(rows, version)
    schema = version.schema
    classes = _Classes.of(looked, schema) if looked is not None else None
    columns = tuple(
        _column(profile.column(c.name), schema, looked, classes, whole=version.rows <= LOOKED)
        for c in schema.columns
    )
    report = DataReport(
        dataset=version.ref,
        digest=version.digest,
        created=version.created,
        rows=version.rows,
        test_rows=version.test_rows,
        target=schema.target,
        labels=schema.labels,
        key=schema.key,
        split=version.split,
        sources=version.sources,
        marks=version.marks,
        findings=_findings(version),
        columns=columns,
    )
    return report if looked is None else _related(report, looked, classes, schema)


def _look(rows: pl.LazyFrame, version: DatasetVersion) -> pl.DataFrame:
    step = -(-version.rows // LOOKED)
    looked = (rows if step <= 1 else rows.gather_every(step)).collect()
    floats = [c.name for c in version.schema.columns if c.kind == "float"]
    finite = [pl.when(pl.col(n).is_finite()).then(pl.col(n)).alias(n) for n in floats]
    return looked.with_columns(finite)


class _Classes:
    """The target of the rows looked at: as labels by number, or as numbers."""

    def __init__(self, target: pl.Series, names: tuple[str, ...], codes: NDArray[np.int64] | None) -> None:
        self.target, self.names, self.codes = target, names, codes
        known = target.is_not_null() if codes is None else None
        self.numbers = None if known is None else target.cast(pl.Float64).fill_null(0.0).to_numpy()
        self.known = None if known is None else known.to_numpy()

    @classmethod
    def of(cls, looked: pl.DataFrame, schema: Schema) -> _Classes | None:
        if schema.target is None:
            return None
        target = looked[schema.target]
        kind = schema.column(schema.target).kind
        if kind in ("date", "datetime"):
            return None
        if kind == "float" or (kind == "integer" and target.n_unique() > 20):
            return cls(target, (), None)
        texts = target.cast(pl.String).fill_null("(missing)")
        counted = texts.value_counts(sort=True)
        labels = counted[texts.name].to_list()
        shown = sorted(labels if len(labels) <= CLASSES else labels[: CLASSES - 1], key=_natural)
        names = (*shown, "all others") if len(labels) > CLASSES else tuple(shown)
        places = {label: at for at, label in enumerate(shown)}
        codes = np.array([places.get(t, len(shown)) for t in texts.to_list()], dtype=np.int64)
        return cls(target, names, codes)


def _natural(label: str) -> tuple[float, str]:
    try:
        return float(label), label
    except ValueError:
        return math.inf, label


def _column(
    profile: ColumnProfile,
    schema: Schema,
    looked: pl.DataFrame | None,
    classes: _Classes | None,
    *,
    whole: bool,
) -> ColumnReport:
    role: Role = (
        "target" if profile.name in schema.targets else "key" if profile.name in schema.key else "feature"
    )
    drawn = bars(profile)
    missing = profile.nulls + profile.nans
    infinite = profile.positive_infinities + profile.negative_infinities
    distinct, least = _distinct(profile)
    link = None
    if looked is not None:
        values = looked[profile.name]
        if whole:
            distinct, least = values.drop_nulls().n_unique(), False
        if classes is not None and role == "feature":
            drawn = _by_target(values, drawn, classes)
            link = relation(values, classes.target, classes=classes.codes is not None)
        elif role == "feature":
            links = [relation(values, looked[name].cast(pl.String), classes=True) for name in schema.labels]
            link = max((one for one in links if one), key=lambda one: abs(one.value), default=None)
    n = sum(profile.counts)
    report = ColumnReport(
        name=profile.name,
        kind=profile.kind,
        role=role,
        rows=profile.rows,
        missing=missing,
        infinite=infinite,
        distinct=distinct,
        distinct_is_least=least,
        minimum=profile.minimum,
        maximum=profile.maximum,
        mean=profile.mean if n else None,
        sd=math.sqrt(profile.m2 / (n - 1)) if n > 1 else None,
        quantiles={name: q for name, s in _SHARES.items() if (q := quantile(profile, s)) is not None},
        bars=drawn,
        undrawn=profile.rows - missing - infinite - sum(bar.rows for bar in drawn),
        relation=link,
    )
    return _counted_only(report) if schema.column(profile.name).personal else report


def _counted_only(report: ColumnReport) -> ColumnReport:
    """What may be told of a personal column."""
    hidden: dict[str, Any] = dict.fromkeys(("minimum", "maximum", "mean", "sd"))
    return msgspec.structs.replace(report, **hidden, quantiles={}, bars=(), undrawn=0, personal=True)


def _distinct(profile: ColumnProfile) -> tuple[int, bool]:
    """Distinct values, and whether the profile only knows that there are at least so many."""
    if profile.kind in ("string", "boolean"):
        listed = sum(map(bool, profile.categories.values())) + len(profile.unseen)
        return listed + bool(profile.other), profile.other > 0
    seen = sum(map(bool, profile.counts))
    return seen, 1 < seen < sum(profile.counts)


def _by_target(values: pl.Series, drawn: tuple[Bar, ...], classes: _Classes) -> tuple[Bar, ...]:
    """The bars with the classes of their rows, or with the mean of the target."""
    if not drawn:
        return drawn
    places = _places(values, drawn)
    inside = places >= 0
    count = len(drawn)
    if classes.codes is not None:
        width = len(classes.names)
        table = np.bincount(places[inside] * width + classes.codes[inside], minlength=count * width)
        rows = table.reshape(count, width).tolist()
        return tuple(_with(bar, tuple(row), None) for bar, row in zip(drawn, rows, strict=True))
    assert classes.numbers is not None
    assert classes.known is not None
    inside &= classes.known
    n = np.bincount(places[inside], minlength=count)
    sums = np.bincount(places[inside], weights=classes.numbers[inside], minlength=count)
    return tuple(
        _with(bar, (), float(sums[at] / n[at]) if n[at] >= _ENOUGH else None) for at, bar in enumerate(drawn)
    )


def _with(bar: Bar, classes: tuple[int, ...], mean: float | None) -> Bar:
    return Bar(label=bar.label, low=bar.low, high=bar.high, rows=bar.rows, classes=classes, mean=mean)


def _places(values: pl.Series, drawn: tuple[Bar, ...]) -> NDArray[np.int64]:
    """Which bar each row stands in; -1 for none."""
    if drawn[0].low is None or drawn[0].high is None:
        places = {bar.label: at for at, bar in enumerate(drawn)}
        texts = values.cast(pl.String).to_list()
        return np.array([-1 if t is None else places.get(t, -1) for t in texts], dtype=np.int64)
    numbers = values.to_physical().cast(pl.Float64).fill_null(math.nan).to_numpy()
    highs = np.array([bar.high for bar in drawn], dtype=np.float64)
    found = np.searchsorted(highs, numbers, side="left").astype(np.int64)
    outside = np.isnan(numbers) | (numbers < drawn[0].low) | (numbers > highs[-1])
    if drawn[0].low == drawn[0].high:
        outside |= highs[np.minimum(found, len(highs) - 1)] != numbers
    found[outside] = -1
    return found


def _related(
    report: DataReport, looked: pl.DataFrame, classes: _Classes | None, schema: Schema
) -> DataReport:
    strength = {c.name: abs(c.relation.value) if c.relation else 0.0 for c in report.columns}
    numeric = [
        c.name
        for c in report.columns
        if c.role != "key" and c.kind in ("integer", "float", "date", "datetime") and c.bars
    ]
    telling = sorted(numeric, key=lambda name: -strength[name])[:_WIDE]
    # the target leads where it is a number, so that its own row is the first
    telling.sort(key=lambda name: name not in schema.targets)
    matrix = correlations(looked.select(telling)) if len(telling) > 1 and looked.height > 2 else None
    shown = telling[:_MATRIX]
    names = classes.names if classes is not None else ()
    return DataReport(
        **{field: getattr(report, field) for field in DataReport.__struct_fields__ if field not in _LOOKS},
        looked=looked.height,
        classes=names,
        balance=_of_labels(looked, schema) if schema.labels else _balance(looked, classes),
        spread=_spread(looked, classes),
        related=tuple(shown) if matrix is not None else (),
        correlations=(
            tuple(tuple(row) for row in matrix[: len(shown), : len(shown)].round(4).tolist())
            if matrix is not None
            else ()
        ),
        pairs=_strongest(telling, matrix, schema) if matrix is not None else (),
    )


_LOOKS = ("looked", "classes", "balance", "spread", "related", "correlations", "pairs")


def _strongest(names: list[str], matrix: NDArray[np.float64], schema: Schema) -> tuple[Relation, ...]:
    rows, columns = np.triu_indices(len(names), k=1)
    order = np.argsort(-np.abs(matrix[rows, columns]), kind="stable")
    pairs = ((names[rows[at]], names[columns[at]], float(matrix[rows[at], columns[at]])) for at in order)
    found: list[Relation] = []
    for a, b, value in pairs:
        if len(found) == _PAIRS or abs(value) < 0.3:
            break
        if not {a, b} & {*schema.targets}:
            found.append(Relation(a=a, b=b, measure="spearman", value=value))
    return tuple(found)


def _balance(looked: pl.DataFrame, classes: _Classes | None) -> tuple[Balance, ...]:
    if classes is None or classes.codes is None:
        return ()
    test = (looked[SPLIT] == "test").to_numpy()
    width = len(classes.names)
    held, kept = (np.bincount(classes.codes[side], minlength=width).tolist() for side in (test, ~test))
    return tuple(Balance(label=name, train=kept[at], test=held[at]) for at, name in enumerate(classes.names))


def _of_labels(looked: pl.DataFrame, schema: Schema) -> tuple[Balance, ...]:
    test = looked[SPLIT] == "test"
    found = []
    for name in schema.labels:
        yes = holds(looked[name], schema.column(name))
        sides = [int((yes & side).sum()) for side in (~test, test)]
        rows = [int(side.sum()) for side in (~test, test)]
        found.append(
            Balance(label=name, train=sides[0], test=sides[1], train_rows=rows[0], test_rows=rows[1])
        )
    return tuple(found)


def _spread(looked: pl.DataFrame, classes: _Classes | None) -> tuple[Spread, ...]:
    if classes is None or classes.numbers is None or classes.known is None:
        return ()
    found = []
    for part in ("train", "test"):
        values = classes.numbers[(looked[SPLIT] == part).to_numpy() & classes.known]
        if len(values) > 1:
            found.append(Spread(part=part, mean=float(values.mean()), sd=float(values.std(ddof=1))))
    return tuple(found)


def _findings(version: DatasetVersion) -> tuple[str, ...]:
    """What ingest found beyond marks, where this version's record tells of it."""
    told = getattr(version, "findings", ())
    return tuple(str(getattr(found, "sentence", found)) for found in told)
