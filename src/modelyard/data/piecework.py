"""What is done with every piece of a table as it is read: look, check, split, digest, sample, keep."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.data import leakage
from modelyard.data.dealing import Dealer
from modelyard.data.flushing import Flushing
from modelyard.errors import StoreDown
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.check import Checked, check
from modelyard.tables.delta import Part
from modelyard.tables.digest import content_words, counted
from modelyard.tables.infer import Seen, is_blank, look
from modelyard.tables.rowhash import Words, row_hashes
from modelyard.tables.rules import EXACT, row_rules
from modelyard.tables.sample import Sample
from modelyard.tables.split import SIDES, SPLIT, by_label

_QUICK = {"kind", "nullable", "range", "categories", "unique"}
"""Rules that what was seen of a piece can clear as a whole, or that are asked of the whole table."""


@dataclass(frozen=True)
class Piece:
    """What one piece of a table gave; row indices count from 0 within it."""

    rows: int
    seen: dict[str, Seen]
    checked: Checked
    sums: Words
    test_rows: int
    moved: int
    """Rows that were test rows of the version before and are training rows now."""
    labels: pl.DataFrame
    """Rows and test rows by label (``label``, ``rows``, ``test``), where they were asked for."""
    keys: Words
    missing: dict[str, int]
    """The first row without a value, of target and key."""
    target: dict[str, tuple[object, bool]]
    """Of each target the first value, and whether another follows."""
    contents: leakage.Sides
    """Hashes of the rows' features, some of many."""
    part: Part


class Piecework:
    """One reading's work. ``work`` may be called from several threads at once."""

    def __init__(
        self,
        kinds: Mapping[str, Kind | None],
        *,
        target: str | None,
        labels: tuple[str, ...] = (),
        key: tuple[str, ...],
        dealer: Callable[[Schema], Dealer],
        stratify: bool,
        previous: Schema | None,
        folder: Path,
        declare: Callable[[Schema], Schema] = lambda schema: schema,
    ) -> None:
        names = list(kinds) if previous is None else [c.name for c in previous.columns]
        self.schema = Schema(
            columns=tuple(Column(name=n, kind=_stored(n, kinds[n], previous), nullable=True) for n in names),
            target=target,
            key=key,
            labels=labels,
        )
        """Names, kinds and roles; nothing is known of nulls and ranges yet."""
        self.expected = declare(
            msgspec.structs.replace(
                self.schema, columns=tuple(_expected(c, key, previous) for c in self.schema.columns)
            )
        )
        self._related = {n for rule in row_rules(self.expected) for n in rule.expression.columns}
        self.sample = Sample()
        self.dealer = dealer(self.schema)
        self._stratify = stratify
        self._folder = folder
        self.flushing = Flushing()
        self._columns = counted(self.schema, self.dealer.extra)
        self._apart = {c.name for c in self._columns} - {c.name for c in self.expected.features}
        self._rows = 0
        self._many: set[str] = set()
        """Columns that were seen to hold too many values to list."""
        self._numbers = count()
        self._lock = threading.Lock()

    def work(self, frame: pl.DataFrame) -> Piece:
        """Look at, check, split, digest and keep the rows, whose kinds are the work's."""
        frame = frame.select(c.name for c in self.schema.columns)
        seen = {s.name: look(s, distinct=s.name not in self._many) for s in frame}
        self._many |= {name for name, column in seen.items() if column.distinct is None}
        checked = self._check(frame, seen)
        dealt, test, moved = self.dealer.deal(frame)
        labels = self._labels(frame, test)
        texts = {n: set(map(str, c.distinct)) for n, c in seen.items() if _is_text(frame[n]) and c.distinct}
        sums, words, content = content_words(
            dealt, self._columns, apart=self._apart, labels=texts | {SPLIT: SIDES}
        )
        with self._lock:
            self._rows += frame.height
            bound = leakage.bound(self._rows)
        self.sample.add(frame, words)
        roles = (*self.schema.key, *self.schema.targets)
        return Piece(
            rows=frame.height,
            seen=seen,
            checked=checked,
            sums=sums,
            test_rows=int(test.sum()),
            moved=moved,
            labels=labels,
            keys=row_hashes(frame, self.schema.key) if self.schema.key else np.empty(0, np.uint64),
            missing={n: _first_missing(frame[n]) for n in roles if seen[n].nulls + seen[n].nans},
            target={name: _differs(frame[name]) for name in self.schema.targets},
            contents=leakage.Sides.below(bound, content, test.to_numpy()),
            part=self._keep(dealt),
        )

    def _check(self, frame: pl.DataFrame, seen: Mapping[str, Seen]) -> Checked:
        """Only columns that what was seen does not clear are held against the rules row by row."""
        doubted = tuple(
            c
            for c in self.expected.columns
            if c.name in self._related or _doubtful(c, seen[c.name], keyed=c.name in self.schema.key)
        )
        if not doubted:
            return Checked((), {})
        key = tuple(c.name for c in doubted if c.name in self.schema.key)
        return check(
            frame.select(c.name for c in doubted), Schema(columns=doubted, key=key, rules=self.expected.rules)
        )

    def _labels(self, frame: pl.DataFrame, test: pl.Series) -> pl.DataFrame:
        if not self._stratify or not self.schema.targets:
            return pl.DataFrame()
        return by_label(frame, test, self.schema).head(_LABELS)

    def _keep(self, frame: pl.DataFrame) -> Part:
        with self._lock:
            path = self._folder / f"{next(self._numbers):06}.parquet"
        content = io.BytesIO()
        frame.write_parquet(content, compression="snappy")
        try:
            size = path.write_bytes(content.getbuffer())
        except OSError as error:
            raise StoreDown(
                f"The rows could not be kept in {self._folder} ({error.strerror}); make room and run it again."
            ) from None
        self.flushing.begin(path, size)
        return Part(path, frame.height, hashlib.sha256(content.getbuffer()).hexdigest())


_LABELS = 1000
"""Of one piece; many fewer are refused as classes."""


def _stored(name: str, kind: Kind | None, previous: Schema | None) -> Kind:
    """A column without values keeps the kind it had, and is a float when it never had one."""
    then = previous.column(name) if previous else None
    return kind or (then.kind if then and not is_blank(then) else "float")


def _expected(column: Column, key: tuple[str, ...], previous: Schema | None) -> Column:
    """What the version before lets expect: its ranges and categories, and nulls unless a person forbade them."""
    then = previous.column(column.name) if previous else None
    if then is None or is_blank(then):
        return column
    nullable = then.nullable if "nullable" in then.declared else True
    if column.name not in key:
        return msgspec.structs.replace(then, kind=column.kind, nullable=nullable)
    ruled = {"range": ("minimum", "maximum"), "categories": ("categories",)}
    dropped = {field: None for rule, fields in ruled.items() if rule not in then.declared for field in fields}
    return msgspec.structs.replace(then, kind=column.kind, nullable=nullable, **dropped)


def _doubtful(column: Column, seen: Seen, *, keyed: bool) -> bool:
    told = {*column.declared, *column.warned}
    if not told <= _QUICK or ((not column.nullable or "nullable" in told) and seen.nulls + seen.nans):
        return True
    if column.kind == "string":
        if column.categories is None:
            return False
        return seen.distinct is None or not seen.distinct <= set(column.categories)
    if column.kind == "boolean":
        return False
    low, high = column.minimum, column.maximum
    if seen.infinities and (low is not None or high is not None):
        return True
    if seen.low is None or seen.high is None:
        return False
    if column.kind == "integer" and not keyed and (seen.low <= -EXACT or seen.high >= EXACT):
        return True
    return (low is not None and seen.low < low) or (high is not None and seen.high > high)


def _is_text(series: pl.Series) -> bool:
    return series.dtype == pl.String


def _first_missing(series: pl.Series) -> int:
    missing = series.is_null()
    if series.dtype.is_float():
        missing = missing | series.is_nan().fill_null(False)
    return int(missing.arg_true()[0])


def _differs(target: pl.Series) -> tuple[object, bool]:
    labels = target.drop_nulls()
    return (labels[0], bool((labels != labels[0]).any())) if labels.len() else (None, False)


def rows_of(parts: Sequence[Part], columns: Sequence[str], rows: NDArray[np.int64]) -> pl.DataFrame:
    """Those columns in those rows, which ascend and count from 0 over all parts."""
    found, before = [], 0
    for part in parts:
        low, high = np.searchsorted(rows, (before, before + part.rows))
        if low < high:
            kept = pl.read_parquet(part.path, columns=list(columns), glob=False)
            found.append(kept[rows[low:high] - before])
        before += part.rows
    return pl.concat(found).select(columns)
