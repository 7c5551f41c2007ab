"""What a schema file declares, held against a table while it is prepared."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from modelyard.data import quarantine
from modelyard.data.declaration import Declaration, declare, told_kind
from modelyard.data.extraction import Kinds
from modelyard.data.piecework import Piece
from modelyard.data.place import Place
from modelyard.data.unread import Unread, refusal
from modelyard.errors import DataRefused
from modelyard.records.schema import Column, Schema
from modelyard.tables import expect
from modelyard.tables.check import check
from modelyard.tables.split import SPLIT

_LISTED = 8


@dataclass(frozen=True)
class Enforced:
    """A declaration, the file that it stands in and the folder for refused rows."""

    declaration: Declaration = dataclasses.field(default_factory=Declaration)
    path: Path = Path()
    quarantine: Path | None = None
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def before(self, previous: Schema | None) -> Schema | None:
        """The version before, with the kinds that are declared now and without what was declared then."""
        if previous is None:
            return None
        columns = tuple(self._before(column) for column in previous.columns)
        return msgspec.structs.replace(previous, columns=columns, rules=())

    def hints(self, previous: Schema | None) -> Schema | None:
        """What texts are read as."""
        if previous is not None:
            return self.before(previous)
        kinds = {name: told_kind(column) for name, column in self.declaration.columns.items()}
        hints = [
            Column(
                name=name,
                kind=kind,
                nullable=True,
                declared=("kind",),
                personal=self.declaration.columns[name].personal,
            )
            for name, kind in kinds.items()
            if kind is not None
        ]
        return Schema(columns=tuple(hints)) if hints else None

    def kinds(self, found: Kinds) -> Kinds:
        """The kinds that were read; a column without a value is of the declared one."""
        kinds = dict(found)
        for name, column in self.declaration.columns.items():
            told = told_kind(column)
            if told is None or name not in kinds:
                continue
            if kinds[name] not in (None, told):
                raise DataRefused(
                    f"Column '{name}' is {kinds[name]} in the source and declared {told} in {self.path}; "
                    "mend the source or the declaration."
                )
            kinds[name] = told
        return kinds

    def schema(self, schema: Schema) -> Schema:
        """The schema with all that is declared."""
        return declare(schema, self.declaration, self.path)

    def refuse(self, pieces: Sequence[Piece], place: Place, expected: Schema) -> None:
        """Raises ``DataRefused`` naming the first row at fault when one is, after keeping all of them."""
        counts: Counter[str] = Counter()
        for piece in pieces:
            counts.update(piece.checked.counts)
        before = 0
        for piece in pieces:
            if piece.checked.faults:
                break
            before += piece.rows
        else:
            return
        fault = piece.checked.faults[0]
        if fault.row is None:
            raise DataRefused(fault.message)
        message = f"{place.of(before + fault.row)}: {fault.message.removeprefix(f'Row {fault.row}: ')}"
        if self.quarantine is None:
            others = sum(counts.values()) - 1
            raise DataRefused(message + (f" ({others} more like it.)" if others else ""))
        raise DataRefused(f"{message} ({_listed(counts)}; kept in {self._keep(pieces, place, expected)}.)")

    def unread(self, values: Sequence[Unread], counts: Mapping[str, int]) -> DataRefused:
        """The refusal of values that are none of their column's kind, after keeping the first of them."""
        if self.quarantine is None:
            return refusal(values, counts)
        kept = pl.DataFrame(
            {
                quarantine.COLUMN: [one.column.name for one in values],
                quarantine.VALUE: [None if one.column.personal else one.value for one in values],
            },
            schema_overrides={quarantine.VALUE: pl.String},
        )
        path = quarantine.keep(
            kept,
            Schema(columns=()),
            folder=self.quarantine,
            places=[(one.origin, one.row) for one in values],
            reasons=[[one.message] for one in values],
            now=self.now,
        )
        first = values[0]
        told = _listed(Counter({f"{name}: kind": count for name, count in counts.items()}))
        return DataRefused(f"{first.origin}, row {first.row}: {first.message} ({told}; kept in {path}.)")

    def whole(
        self, parts: Sequence[Path], rows: int, schema: Schema, place: Place
    ) -> tuple[dict[str, int], dt.datetime | None]:
        """Marks of the whole table, and the newest value of the column that tells freshness.

        Raises ``DataRefused`` when an expectation of severity ``error`` is not met.
        """
        table = self.declaration.table
        frame = pl.scan_parquet(list(parts), glob=False)
        unmet = list(expect.repeated(frame, schema))
        if table.rows is not None:
            wanted = table.rows
            unmet += expect.too_few_or_many(rows, least=wanted.min, most=wanted.max, severity=wanted.severity)
        newest = None
        if table.freshness is not None:
            newest = expect.newest(frame, table.freshness.column)
            unmet += self.stale(newest)
        refusing = [one for one in unmet if one.severity == "error"]
        if refusing:
            first = next((one.first for one in refusing if one.first is not None), None)
            where = f"{place.of(first)}: " if first is not None else ""
            kept = (
                f" (Kept in {self._keep_repeats(frame, schema, place)}.)" if where and self.quarantine else ""
            )
            told = expect.words(refusing)
            told = told if where else told[:1].upper() + told[1:]
            raise DataRefused(f"{where}{told}; mend the source or what {self.path} declares.{kept}")
        return {one.mark: max(one.rows, 1) for one in unmet}, newest

    def stale(self, newest: dt.datetime | None) -> tuple[expect.Unmet, ...]:
        """Whether the newest value is too long ago by now."""
        fresh = self.declaration.table.freshness
        if fresh is None:
            return ()
        return expect.stale(
            newest, column=fresh.column, within=fresh.span, now=self.now(), severity=fresh.severity
        )

    def _before(self, then: Column) -> Column:
        told = self.declaration.columns.get(then.name)
        kind = told_kind(told) if told else None
        return Column(
            name=then.name,
            kind=kind or then.kind,
            nullable=then.nullable,
            minimum=then.minimum,
            maximum=then.maximum,
            categories=then.categories,
            declared=("kind",) if kind else (),
            personal=then.personal,
        )

    def _keep(self, pieces: Sequence[Piece], place: Place, expected: Schema) -> Path:
        assert self.quarantine is not None
        kept: list[pl.DataFrame] = []
        places: list[tuple[str, int]] = []
        reasons: list[list[str]] = []
        before = 0
        for piece in pieces:
            bad = piece.checked.bad.arg_true().head(quarantine.MOST_ROWS - len(places)).to_list()
            if bad:
                rows = pl.read_parquet(piece.part.path, glob=False)[bad].drop(SPLIT)
                kept.append(rows)
                places += [_split(place.of(before + at + 1)) for at in bad]
                reasons += quarantine.by_row(check(rows, _whole(expected), limit=None).faults).values()
            before += piece.rows
        return quarantine.keep(
            pl.concat(kept),
            expected,
            folder=self.quarantine,
            places=places,
            reasons=reasons,
            now=self.now,
        )

    def _keep_repeats(self, frame: pl.LazyFrame, schema: Schema, place: Place) -> Path:
        assert self.quarantine is not None
        unique = [c.name for c in schema.columns if c.unique and "unique" in c.declared]
        masks = expect.repeats(frame.select(unique).collect(engine="streaming"), schema)
        reasons: dict[int, list[str]] = {}
        for name, mask in masks.items():
            for at in mask.arg_true().head(quarantine.MOST_ROWS).to_list():
                reasons.setdefault(at, []).append(f"'{name}' is declared unique, and its value comes again.")
        at = sorted(reasons)[: quarantine.MOST_ROWS]
        rows = (
            frame.with_row_index("\n")
            .filter(pl.col("\n").is_in(at))
            .drop("\n", SPLIT)
            .collect(engine="streaming")
        )
        return quarantine.keep(
            rows,
            schema,
            folder=self.quarantine,
            places=[_split(place.of(n + 1)) for n in at],
            reasons=[reasons[n] for n in at],
            now=self.now,
        )


def _whole(expected: Schema) -> Schema:
    """Target and forbidden columns are held to their rules like features; keys stay keys, which are unbounded."""
    return msgspec.structs.replace(expected, target=None)


def _split(place: str) -> tuple[str, int]:
    file, row = place.rsplit(", row ", 1)
    return file, int(row)


def _listed(counts: Counter[str]) -> str:
    found = [
        f"{mark} in {count} row{'s' if count > 1 else ''}" for mark, count in counts.most_common(_LISTED)
    ]
    return ", ".join(found) + (f" and {len(counts) - _LISTED} rules more" if len(counts) > _LISTED else "")
