"""What in a dataset would make a test score a lie, or a column useless: found in one pass over batches.

Nothing here refuses. Duplicates and groups are looked for among rows whose content (or value) hashes
below a bound, so that equal ones are seen together however large the table; columns are judged
on a bounded sample of rows, those of the training side where the target plays a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.data import columns as judged
from modelyard.data import texts
from modelyard.data.cores import in_order
from modelyard.records.dataset import DataFinding, FindingAtIngest, Split
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.infer import Seen
from modelyard.tables.rowhash import Words, mix
from modelyard.tables.sample import shortened
from modelyard.tables.split import SPLIT

ROWS = 100_000
"""Rows looked at closely, about; all of them in a smaller table."""
CELLS = 20_000_000
MOST = 20
"""Findings of one kind that are told one by one."""

_ID_NAME = re.compile(r"(?:^|[_\W])(?:id|ids|uid|uuid|guid|ssn|mrn)$|[a-z0-9](?:Id|ID|UUID|Uuid)$", re.ASCII)
_ID_NAME_LOWER = re.compile(r"^(?:id|uuid|guid|ssn|mrn)[_\W]", re.ASCII)
_CODE = r"^[^\s]*[0-9][^\s]*$"
_DISTINCT = 0.1
"""With fewer distinct rows than this share, equal rows are the nature of the table."""
_FEWEST_VALUES, _MOST_ROWS, _LEAST_ROWS = 20, 50, 1.05
"""What repeats like an identifier of people or things: at least so many values, and mean rows of one."""
_SKEW = 2.0
_EXPECTED = 10


@dataclass(frozen=True)
class Sides:
    """Hashes of values or contents, and which stand on the test side."""

    hashes: Words
    test: NDArray[np.bool_]

    @classmethod
    def below(cls, bound: np.uint64, words: Words, test: NDArray[np.bool_]) -> Sides:
        chosen = words <= bound
        return cls(words[chosen], test[chosen])

    @classmethod
    def of(cls, all_: Sequence[Sides]) -> Sides:
        return cls(np.concatenate([s.hashes for s in all_]), np.concatenate([s.test for s in all_]))

    def shared(self) -> tuple[int, int, int, int]:
        """Test rows whose like is in training, test rows, distinct, rows."""
        both = np.isin(self.hashes[self.test], self.hashes[~self.test])
        return int(both.sum()), int(self.test.sum()), np.unique(self.hashes).size, self.hashes.size


@dataclass(frozen=True)
class Glance:
    """What is kept of a batch until all were seen."""

    groups: dict[str, Sides]
    sample: pl.DataFrame


class Watch:
    """Looks for findings in a table of ``rows`` rows that comes in batches, each with its split.

    ``head`` are rows that tell which columns look like identifiers. ``nearly`` are columns of texts of which nearly
    all are of another kind, as which they are judged: numbers look like codes of people as texts. ``glance`` may be called from several
    threads; ``findings`` wants what it gave for all batches in the order of the rows.
    """

    def __init__(
        self,
        head: pl.DataFrame,
        *,
        schema: Schema,
        split: Split,
        rows: int,
        nearly: Mapping[str, Kind] = MappingProxyType({}),
    ) -> None:
        self._schema, self._split, self._rows = schema, split, rows
        self._features = [c.name for c in schema.features]
        self._nearly = {n: kind for n, kind in nearly.items() if n in self._features and not _is_id(n)}
        self._watched = _watched(head, _as(schema, self._nearly), split)
        share = min(1.0, ROWS / max(rows, 1))
        self._whole = share == 1
        self._bound = bound(rows)
        self._near = _bound(min(share, CELLS / max(rows * len(self._features), 1)))

    def glance(self, batch: pl.DataFrame, first: int) -> Glance:
        """``first`` is the place of the batch's first row among all rows."""
        test = (batch[SPLIT] == "test").to_numpy()
        groups = {}
        for name in self._watched:
            known = batch[name].is_not_null()
            hashes = batch[name].hash(seed=11).to_numpy()
            if known.all():
                groups[name] = Sides.below(self._bound, hashes, test)
            else:
                groups[name] = Sides.below(self._bound, hashes[known.to_numpy()], test[known.to_numpy()])
        places = mix(np.arange(first, first + batch.height, dtype=np.uint64))
        return Glance(
            groups,
            shortened(batch[np.flatnonzero(places <= self._near)]),
        )

    def _same(self, contents: Sequence[Sides]) -> Sides:
        found = Sides.of(contents)
        return Sides.below(self._bound, found.hashes, found.test)

    def findings(
        self,
        glances: Sequence[Glance],
        contents: Sequence[Sides],
        seen: Mapping[str, Seen],
        *,
        moved: int = 0,
    ) -> tuple[DataFinding, ...]:
        """``contents`` are of the numbers of the rows' features, below ``bound`` of so many rows or fewer;
        ``seen`` says of each column what all rows hold; ``moved`` are rows that were test rows of the
        version before and are training rows now."""
        schema, split, rows = _as(self._schema, self._nearly), self._split, self._rows
        if not rows:
            return ()
        sample = pl.concat([glance.sample for glance in glances])
        sample = sample.with_columns(texts.read_some(sample[n], kind) for n, kind in self._nearly.items())
        identifiers = judged.identifiers(sample, schema, seen, rows=rows, named=_is_id)
        groups = {n: Sides.of([glance.groups[n] for glance in glances]) for n in self._watched}
        looks: list[Callable[[], list[DataFinding]]] = [
            lambda: _moved(moved),
            lambda: judged.target_leaks(sample.filter(pl.col(SPLIT) == "train"), schema),
            lambda: _duplicates(self._same(contents), whole=self._whole),
            *(partial(_group, name, sides) for name, sides in groups.items()),
            lambda: _split_columns(schema, split),
            lambda: identifiers,
            lambda: judged.constants(sample, schema, seen),
            lambda: judged.same_columns(sample, schema, aside=[n for f in identifiers for n in f.columns]),
            lambda: _uneven(sample, schema, split),
        ]
        return _told([one for found in in_order(looks, _quietly) for one in found])


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _quietly(look: Callable[[], list[DataFinding]]) -> list[DataFinding]:
    return look()


def bound(rows: int) -> np.uint64:
    """What hashes are held against so that about ``ROWS`` of as many are below it."""
    return _bound(min(1.0, ROWS / max(rows, 1)))


def _bound(share: float) -> np.uint64:
    return np.uint64(min(int(share * 2.0**64), 2**64 - 1))


def _told(found: list[DataFinding]) -> tuple[DataFinding, ...]:
    """The first ``MOST`` of each kind, and one that says how many more there are."""
    told: list[DataFinding] = []
    for kind in dict.fromkeys(f.kind for f in found):
        alike = [f for f in found if f.kind == kind]
        told += alike[:MOST]
        if rest := alike[MOST:]:
            names = tuple(name for f in rest for name in f.columns)
            sentence = f"{len(rest)} more findings like the last one, about {', '.join(names[:10])}" + (
                " and others." if len(names) > 10 else "."
            )
            told.append(DataFinding(kind=kind, columns=names, figure=float(len(rest)), sentence=sentence))
    return tuple(told)


def _is_id(name: str) -> bool:
    return bool(_ID_NAME.search(name) or _ID_NAME.search(name.lower()) or _ID_NAME_LOWER.search(name.lower()))


def _as(schema: Schema, kinds: Mapping[str, Kind]) -> Schema:
    """The schema with these kinds."""
    columns = (
        msgspec.structs.replace(c, kind=kinds[c.name], categories=None) if c.name in kinds else c
        for c in schema.columns
    )
    return msgspec.structs.replace(schema, columns=tuple(columns))


def _watched(batch: pl.DataFrame, schema: Schema, split: Split) -> list[str]:
    """Columns that may name people or things of several rows."""

    def suspect(column: Column) -> bool:
        if column.kind not in ("string", "integer") or column.name in split.group:
            return False
        if _is_id(column.name):
            return True
        values = batch[column.name].head(1000).drop_nulls() if column.kind == "string" else pl.Series([])
        return len(values) > 0 and int(values.str.contains(_CODE).sum()) >= 0.9 * len(values)

    parts = [c for c in schema.columns if c.name in schema.key] if len(schema.key) > 1 else []
    return [c.name for c in (*parts, *schema.features) if (c in parts and _plain(c)) or suspect(c)]


def _plain(column: Column) -> bool:
    return column.kind in ("string", "integer")


def _moved(rows: int) -> list[DataFinding]:
    if not rows:
        return []
    return [
        _finding(
            "moved",
            (),
            rows,
            f"{rows:,} rows that were test rows before are training rows now, because 'split' or 'key' changed: "
            "a model that learns from them can no longer be compared by scores on them; take the change back, or "
            "begin a dataset of another name.",
        )
    ]


def _duplicates(contents: Sides, *, whole: bool) -> list[DataFinding]:
    both, tests, distinct, rows = contents.shared()
    if not both or distinct < _DISTINCT * rows:
        return []
    share = judged.percent(both / tests)
    how = f"{both:,} of {tests:,} test rows ({share})" if whole else f"About {share} of the test rows"
    return [
        _finding(
            "duplicates",
            (),
            both / tests,
            f"{how} are equal to a training row in every feature, so that the test score is too good; drop repeated "
            "rows from the source, or leave 'key' out so that equal rows stand on one side.",
        )
    ]


def _group(name: str, sides: Sides) -> list[DataFinding]:
    both, tests, distinct, rows = sides.shared()
    if not both or distinct < _FEWEST_VALUES or not _LEAST_ROWS <= rows / distinct <= _MOST_ROWS:
        return []
    return [
        _finding(
            "group_leak",
            (name,),
            both / tests,
            f"{judged.percent(both / tests)} of the test rows share their '{name}' with training rows: if it names a "
            "person or thing, the model is tested on what it has met; set "
            f"'group = \"{name}\"' under 'split'.",
        )
    ]


def _split_columns(schema: Schema, split: Split) -> list[DataFinding]:
    features = {c.name for c in schema.features}
    decides = [n for n in (*split.group, split.time, split.column) if n in features]
    return [
        _finding(
            "split_column",
            (name,),
            1.0,
            f"'{name}' decides the split and is a feature too, so that its values differ between training and "
            "test by design; mark it 'forbidden' in the schema file, or make it part of 'key'.",
        )
        for name in decides
        if name is not None
    ]


def _uneven(sample: pl.DataFrame, schema: Schema, split: Split) -> list[DataFinding]:
    """Only where rows are not dealt one by one: there chance keeps shares near what was asked."""
    if not (split.group or split.time or split.column or split.holdout):
        return []
    found: list[DataFinding] = []
    test = sample[SPLIT] == "test"
    share = float(test.mean() or 0)  # type: ignore[arg-type]
    if (split.group or split.time) and not split.test / _SKEW <= share <= split.test * _SKEW:
        what = f"time '{split.time}'" if split.time else f"group '{', '.join(split.group)}'"
        found.append(
            _finding(
                "uneven",
                (),
                share,
                f"The test split by {what} holds {judged.percent(share)} of the rows where {judged.percent(split.test)} "
                "was asked for; "
                + (
                    "move 'after' on when you begin to compare models anew."
                    if split.time
                    else "groups are large."
                ),
            )
        )
    for target in schema.targets:
        if schema.column(target).kind != "float":
            found += _uneven_classes(sample[target], test, share)
    return found


def _uneven_classes(target: pl.Series, test: pl.Series, share: float) -> list[DataFinding]:
    counted = (
        pl.DataFrame({"label": target, "test": test})
        .group_by("label")
        .agg(pl.len().alias("rows"), pl.col("test").sum().alias("test"))
        .sort("label")
    )
    found: list[DataFinding] = []
    if counted.height > judged.MOST_CLASSES:
        return found
    for label, rows, tested in counted.iter_rows():
        if rows * share >= _EXPECTED and not share / _SKEW <= tested / rows <= min(1.0, share * _SKEW):
            found.append(
                _finding(
                    "uneven",
                    (target.name,),
                    tested / rows,
                    f"Of '{target.name}' {label} {judged.percent(tested / rows)} of the rows are in the test split, "
                    f"of all rows {judged.percent(share)}: training and test see different mixtures; split otherwise, or "
                    "know it when you read scores.",
                )
            )
    return found


def _finding(kind: FindingAtIngest, columns: tuple[str, ...], figure: float, sentence: str) -> DataFinding:
    return DataFinding(kind=kind, columns=columns, figure=float(figure), sentence=sentence)
