"""Requests to batches: the schema compiled for msgspec and NumPy (floor 2).

``compile`` makes one decoder a schema. Many bodies become one ``Batch`` with one vectorised check;
it says yes or no, and ``rules.faults`` writes the message of every no. A repeated key in an object
counts with its last value, as in most readers of JSON.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import RequestRefused
from modelyard.records.schema import Column, Schema
from modelyard.tables import expressions, rules
from modelyard.tables.batch import Batch, layout
from modelyard.tables.cells import Cells, days, is_tensor, mapping, microseconds, plain
from modelyard.tables.expressions import Sort
from modelyard.tables.refusals import Refusals, count
from modelyard.tables.rules import EXACT

_AWKWARD = re.compile(r'["\\\x00-\x1f]')
_TYPES: dict[str, Any] = {
    "integer": Annotated[int, msgspec.Meta(ge=-EXACT, le=EXACT)] | float,
    "float": float,
    "boolean": bool,
    "string": str,
    "date": str,  # read by tables.rules, whose strictness msgspec's own types do not share
    "datetime": str,
}

_Original = Callable[[int, int], Mapping[str, object]]
"""(request, row in it) -> that row as it was sent."""


_astuple = msgspec.structs.astuple


@dataclass(frozen=True)
class Decoded:
    """One loop turn's requests.

    ``spans[i]`` is where request i's rows stand in ``batch``, or why it is refused. ``marks`` counts
    accepted rows that break a rule which was only inferred, by ``column: rule``.
    """

    batch: Batch
    spans: tuple[slice | RequestRefused, ...]
    marks: dict[str, int]


def compile(schema: Schema) -> Decoder:  # noqa: A001
    """The decoder of this schema's features; costs about a millisecond, so keep it."""
    return Decoder(schema)


class Decoder:
    """Rows of a schema's features, from any surface, by one check. Safe under threads.

    Rows are numbered from 0 in refusals, as positions in the request.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.layout = layout(schema)
        by_name = {c.name: c for c in schema.features}
        self._numbers = [by_name[name] for name in self.layout.numbers]
        self._texts = [by_name[name] for name in self.layout.texts]
        columns = [*self._numbers, *self._texts]
        self._row = msgspec.defstruct(
            "Row",
            [_field(i, column) for i, column in enumerate(columns)],
            rename={f"f{i}": _alias(column.name) for i, column in enumerate(columns)},
            forbid_unknown_fields=True,
            gc=False,
        )
        rows: Any = list[self._row]  # type: ignore[name-defined]
        request = msgspec.defstruct("Request", [("rows", rows)], forbid_unknown_fields=True)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(request).decode
        names = [c.name for c in columns if _alias(c.name) != c.name]
        self._aliases = {name: _alias(name) for name in names} | {_alias(name): "" for name in names}
        if names:
            loose = msgspec.json.Decoder(dict[str, list[dict[str, Any]]]).decode
            self._decode = lambda body: msgspec.convert(
                {key: self._renamed(rows) for key, rows in loose(body).items()}, request
            )
        self._pack = struct.Struct(f"={len(self._numbers)}d").pack
        self._refusals = Refusals(schema)
        kinds = [c.kind for c in self._numbers]
        self._moments = [
            (i, days if kind == "date" else microseconds)
            for i, kind in enumerate(kinds)
            if kind in ("date", "datetime")
        ]
        self._whole = np.array([kind == "integer" for kind in kinds], dtype=bool)
        self._timely = np.array([kind in ("date", "datetime") for kind in kinds], dtype=bool)
        self._required = np.array([not c.nullable for c in self._numbers], dtype=bool)
        bounded = [c.kind != "boolean" for c in self._numbers]
        pairs = list(zip(self._numbers, bounded, strict=True))
        self._low = np.array([c.minimum if b and c.minimum is not None else -np.inf for c, b in pairs])
        self._high = np.array([c.maximum if b and c.maximum is not None else np.inf for c, b in pairs])
        self._range_refuses = np.array(["range" in c.declared for c in self._numbers], dtype=bool)
        self._known = [
            (j, c, frozenset([*c.categories, None] if c.nullable else c.categories))
            for j, c in enumerate(self._texts)
            if c.categories is not None
        ]
        self._patterns = [
            (j, c.name, rules.matcher(c.pattern), "pattern" in c.declared)
            for j, c in enumerate(self._texts)
            if c.pattern is not None
        ]
        self._row_rules = rules.feature_rules(schema)
        self._noted = [c for c in columns if "nullable" in c.warned]
        warns = any(not refuses for *_, refuses in self._patterns)
        self._counted = bool(self._noted) or warns or any(not r.refuses for r in self._row_rules)
        self._has_integers, self._has_moments = bool(self._whole.any()), bool(self._moments)
        self._has_bounds = bool(np.isfinite(self._low).any() or np.isfinite(self._high).any())

    def rows(self, bodies: Sequence[bytes], *, max_rows: int, max_bytes: int) -> Decoded:
        """Decode native bodies ``{"rows": [{...}, ...]}``; a refused one leaves the others be."""
        spans: list[slice | RequestRefused] = []
        found: list[Any] = []
        start = 0
        decode = self._decode
        for body in bodies:
            if len(body) > max_bytes:
                spans.append(RequestRefused(f"The body has {len(body)} bytes; send at most {max_bytes}."))
                continue
            try:
                rows = decode(body).rows
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                spans.append(self._refusals.of_body(body, error, max_rows))
                continue
            if not 0 < len(rows) <= max_rows:
                spans.append(count(len(rows), max_rows))
                continue
            found += rows
            stop = start + len(rows)
            spans.append(slice(start, stop))
            start = stop

        def original(request: int, row: int) -> Mapping[str, object]:
            rows = cast("dict[str, list[dict[str, object]]]", msgspec.json.decode(bodies[request]))["rows"]
            return rows[row]

        return self._judge(self._batch(found), spans, original)

    def flat(self, requests: Sequence[Sequence[float] | NDArray[np.float64]], *, max_rows: int) -> Decoded:
        """Numbers of several requests, row after row in the schema's order, where all features are numbers; NaN is null.

        A refused request leaves the others be.
        """
        k = len(self._numbers)
        spans: list[slice | RequestRefused] = []
        parts: list[bytes] = []
        start = 0
        for numbers in requests:
            n = len(numbers) // k
            if not 0 < n <= max_rows:
                spans.append(count(n, max_rows))
                continue
            if isinstance(numbers, np.ndarray):
                parts.append(numbers.tobytes())
            else:
                parts.append(self._pack(*numbers) if n == 1 else array("d", numbers).tobytes())
            spans.append(slice(start, start + n))
            start += n

        def original(request: int, row: int) -> Mapping[str, object]:
            values = np.asarray(requests[request][row * k : row * k + k]).tolist()
            return dict(zip(self.layout.numbers, values, strict=True))

        numbers = np.frombuffer(bytearray().join(parts)).reshape(start, k)
        batch = Batch(numbers=numbers, texts=np.empty((start, 0), dtype=object))
        return self._judge(batch, spans, original)

    def records(self, rows: Sequence[Mapping[str, object]], *, max_rows: int) -> Decoded:
        """One request's rows as mappings; raises ``RequestRefused`` instead of returning it.

        NaN is null in integer and float columns.
        """
        if not 0 < len(rows) <= max_rows:
            raise count(len(rows), max_rows)
        if self._has_moments:
            rows = [{name: plain(value) for name, value in row.items()} for row in rows]
        try:
            found = msgspec.convert(self._renamed(rows), list[self._row])  # type: ignore[name-defined]
        except (msgspec.ValidationError, RecursionError, OverflowError) as error:
            raise self._refusals.of_rows(rows, error) from None
        return self._single(self._batch(found), lambda _, row: rows[row])

    def columns(self, columns: Mapping[str, Sequence[object] | NDArray[Any]], *, max_rows: int) -> Decoded:
        """One request's columns by name, lists or one-dimensional arrays of equal length.

        In an array of floats NaN is null, and 0 and 1 stand for booleans, since a tensor has one type
        for all of its columns. Raises ``RequestRefused``.
        """
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise RequestRefused("The columns differ in length; send one value a row in each.")
        n = lengths.pop() if lengths else 0
        if not 0 < n <= max_rows:
            raise count(n, max_rows)
        kinds = {c.name: c.kind for c in self.schema.features}
        taken = [columns.get(c.name) for c in self._numbers]
        if len(columns) == len(taken) and not self._texts and all(map(is_tensor, taken, self._numbers)):
            numbers = np.stack(cast("list[NDArray[Any]]", taken), axis=1).astype(np.float64, order="C")
            batch = Batch(numbers=numbers, texts=np.empty((n, 0), dtype=object))
            return self._single(batch, lambda _, row: mapping(columns, kinds, row))
        return self.records([mapping(columns, kinds, row) for row in range(n)], max_rows=max_rows)

    def _renamed(self, rows: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        """Rows by the names that the compiled row has; an alias itself names nothing."""
        if not self._aliases:
            return rows
        return [{self._aliases.get(name, name): value for name, value in row.items()} for row in rows]

    def _batch(self, found: Sequence[Any]) -> Batch:
        rows = list(map(_astuple, found))
        n, k, s = len(rows), len(self._numbers), len(self._texts)
        heads = [row[:k] for row in rows] if s else rows
        if self._has_moments:
            heads = [self._timed(head) for head in heads]
        try:
            pack = self._pack
            numbers = np.frombuffer(bytearray().join([pack(*head) for head in heads])).reshape(n, k)
        except struct.error:  # a null, which fromiter reads as NaN
            numbers = np.fromiter(chain.from_iterable(heads), np.float64, n * k).reshape(n, k)
        texts = np.empty((n, s), dtype=object)
        if s and n:
            texts[:] = [row[k:] for row in rows]
        return Batch(numbers=numbers, texts=texts)

    def _timed(self, head: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(head)
        for i, number in self._moments:
            if values[i] is not None:
                values[i] = number(values[i])
        return tuple(values)

    def _judge(self, batch: Batch, spans: list[slice | RequestRefused], original: _Original) -> Decoded:
        """The one check of a turn: refuse the requests that hold a bad row, close the gaps they leave."""
        within = self._within(batch.numbers)
        bad = self._bad(batch, within)
        if bad.any():
            keep: list[int] = []
            for i, span in enumerate(spans):
                if isinstance(span, RequestRefused):
                    continue
                if bad[span].any():
                    row = int(np.argmax(bad[span]))
                    refused = self._refusals.of_row(original(i, row), row)
                    assert refused is not None, "the compiled check and the rules disagree"
                    spans[i] = refused
                    continue
                at = len(keep)
                spans[i] = slice(at, at + span.stop - span.start)
                keep += range(span.start, span.stop)
            batch = batch.take(np.array(keep, dtype=np.intp))
        return Decoded(batch, tuple(spans), self._marks(batch, within))

    def _within(self, numbers: NDArray[np.float64]) -> bool:
        """Whether nothing is null and all lies within its bounds: mostly so, and told by one pass."""
        return bool(((numbers >= self._low) & (numbers <= self._high)).all())

    def _bad(self, batch: Batch, within: bool) -> NDArray[np.bool_]:
        """Which rows break a rule that refuses, beside those that the types refused already."""
        numbers = batch.numbers
        bad = np.zeros(len(numbers), dtype=bool)
        if not within:
            bad |= (np.isnan(numbers) & self._required).any(axis=1)
            if self._range_refuses.any():
                bad |= (self._outside(numbers) & self._range_refuses).any(axis=1)
        if self._has_integers:
            whole = (numbers == np.floor(numbers)) & (np.abs(numbers) <= EXACT)
            bad |= (~(whole | np.isnan(numbers)) & self._whole).any(axis=1)
        if self._has_moments:
            bad |= (np.isinf(numbers) & self._timely).any(axis=1)
        for j, column, known in self._known:
            if "categories" in column.declared and not known.issuperset(batch.texts[:, j].tolist()):
                bad |= np.array([value not in known for value in batch.texts[:, j].tolist()], dtype=bool)
        for j, _, matches, refuses in self._patterns:
            if refuses:
                bad |= _unlike(batch.texts[:, j], matches)
        for compiled in self._row_rules:
            if compiled.refuses:
                bad |= self._broken(batch, compiled)
        return bad

    def _broken(self, batch: Batch, compiled: rules.Compiled) -> NDArray[np.bool_]:
        """Where the rule is false."""
        with np.errstate(all="ignore"):
            _, false = expressions.judge(compiled.expression.term, Cells(batch, self.layout))
        return np.broadcast_to(np.asarray(false, dtype=bool), (len(batch),))

    def _marks(self, batch: Batch, within: bool) -> dict[str, int]:
        marks: dict[str, int] = {}
        if not within and self._has_bounds:
            outside = self._outside(batch.numbers)
            if outside.any():
                counts = np.count_nonzero(outside, axis=0)
                for j in np.flatnonzero(counts).tolist():
                    marks[f"{self._numbers[j].name}: range"] = int(counts[j])
        for j, column, known in self._known:
            values = batch.texts[:, j].tolist()
            if not known.issuperset(values):
                marks[f"{column.name}: categories"] = sum(value not in known for value in values)
        if self._counted:
            self._mark_more(batch, marks)
        return marks

    def _mark_more(self, batch: Batch, marks: dict[str, int]) -> None:
        """What people declared with severity ``warn`` beside ranges and categories."""
        cells = Cells(batch, self.layout)
        found = {f"{name}: pattern": _unlike(batch.texts[:, j], m) for j, name, m, _ in self._patterns}
        for column in self._noted:
            sort: Sort = "string" if column.kind == "string" else "number"
            found[f"{column.name}: nullable"] = cells.is_null(cells.column(column.name, sort))[0]
        found |= {c.mark: self._broken(batch, c) for c in self._row_rules if not c.refuses}
        marks.update({mark: count for mark, mask in found.items() if (count := int(np.count_nonzero(mask)))})

    def _outside(self, numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
        outside: NDArray[np.bool_] = (numbers < self._low) | (numbers > self._high)
        return outside

    def _single(self, batch: Batch, original: _Original) -> Decoded:
        decoded = self._judge(batch, [slice(0, len(batch.numbers))], original)
        if isinstance(decoded.spans[0], RequestRefused):
            raise decoded.spans[0]
        return decoded


def _alias(name: str) -> str:
    """The name, or one without the characters that msgspec takes in no field's name."""
    return _AWKWARD.sub(lambda found: f"\N{REPLACEMENT CHARACTER}{ord(found[0])}", name)


def _field(i: int, column: Column) -> tuple[str, Any]:
    kind = _TYPES[column.kind]
    return f"f{i}", (kind | None if column.nullable else kind)


def _unlike(texts: NDArray[np.object_], matches: Callable[[str], object]) -> NDArray[np.bool_]:
    return np.array([text is not None and not matches(text) for text in texts.tolist()], dtype=bool)
