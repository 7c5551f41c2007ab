"""What a version takes over from the one before, and how its rows differ from that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from modelyard.data.extraction import Kinds
from modelyard.data.piecework import Piece
from modelyard.records.schema import Column, Schema
from modelyard.tables.infer import Seen, is_blank


def carry(inferred: Schema, previous: Schema) -> tuple[Schema, tuple[str, ...]]:
    """The inferred schema with the kinds and the declared rules of the version before."""
    columns, widened = [], []
    for now in inferred.columns:
        then = previous.column(now.name)
        if is_blank(now):
            now = Column(name=now.name, kind=then.kind, nullable=True)
        elif (now.kind, then.kind) == ("float", "integer"):
            widened.append(now.name)
        columns.append(_declared(now, then))
    return msgspec.structs.replace(inferred, columns=tuple(columns)), tuple(widened)


def follow(previous: Schema, kinds: Kinds) -> Schema:
    """What is left of the version before when its transform was another: the columns that are still there
    and of the same kind; nothing is known of the others."""
    known = {c.name: c for c in previous.columns}
    columns = []
    for name, kind in kinds.items():
        then = known.get(name, Column(name=name, kind="float", nullable=True))
        if kind not in (None, then.kind) and {kind, then.kind} != {"integer", "float"}:
            then = Column(name=name, kind="float", nullable=True)
        columns.append(then)
    return msgspec.structs.replace(previous, columns=tuple(columns))


def _declared(now: Column, then: Column) -> Column:
    rules = then.declared
    return msgspec.structs.replace(
        now,
        nullable=then.nullable if "nullable" in rules else now.nullable,
        minimum=then.minimum if "range" in rules else now.minimum,
        maximum=then.maximum if "range" in rules else now.maximum,
        categories=then.categories if "categories" in rules else now.categories,
        declared=rules,
    )


def marks_of(
    pieces: Sequence[Piece], seen: Mapping[str, Seen], schema: Schema, previous: Schema | None
) -> dict[str, int]:
    marks: Counter[str] = Counter()
    for piece in pieces:
        marks.update(piece.checked.marks)
    for column in schema.columns:
        then = previous.column(column.name) if previous else None
        own = then is None or is_blank(then)
        told = "range" in (*column.declared, *column.warned)
        if own and not told and column.minimum is not None and seen[column.name].infinities:
            marks[f"{column.name}: range"] = seen[column.name].infinities
    return {name: marks[name] for name in sorted(marks, key=_by_column(schema))}


def _by_column(schema: Schema) -> Callable[[str], int]:
    places = {c.name: at for at, c in enumerate(schema.columns)}
    return lambda mark: places.get(mark.rsplit(": ", 1)[0], len(places))
