"""Sources to a checked, split and digested table."""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import operator
import shutil
import tempfile
import time
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from modelyard.data.csv import BLOCK
from modelyard.data.dealing import Dealer, dealer
from modelyard.data.enforcement import Enforced
from modelyard.data.extraction import Kinds, Reading, in_order, read_through
from modelyard.data.fingerprint import fingerprint, locate
from modelyard.data.leakage import look
from modelyard.data.piecework import Piece, Piecework, values_of
from modelyard.data.sources.listing import Setting, kind, listed
from modelyard.data.staging import recorded, stage
from modelyard.errors import DataRefused, SettingsError
from modelyard.records.dataset import DataFinding, SourceFile, Split
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.settings import DataSettings
from modelyard.tables.delta import Part
from modelyard.tables.digest import counted, seal
from modelyard.tables.infer import Seen, describe, is_blank
from modelyard.tables.profile import merge
from modelyard.tables.sample import count_frame, edges
from modelyard.tables.split import FOLD, SPLIT, class_shares

_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What becomes a dataset version: files in the schema's types with the split as a last column."""

    parts: tuple[Part, ...]
    """In the order of the rows; they are gone with this object."""
    schema: Schema
    digest: str
    profile: Profile
    """Of all rows and columns."""
    split: Split
    sources: tuple[SourceFile, ...]
    marks: dict[str, int]
    """Values outside of the ranges and categories of the version before (of its own, without one)."""
    widened: tuple[str, ...] = ()
    """Columns that were integer in the version before and are float now."""
    newest: dt.datetime | None = None
    """Of the column that tells freshness, when one is declared."""
    findings: tuple[DataFinding, ...] = ()
    extra: tuple[str, ...] = (SPLIT,)
    """The columns after those of the schema."""
    test_rows: int
    rows: int

    @property
    def frame(self) -> pl.DataFrame:
        """All rows, read anew."""
        return pl.concat([pl.read_parquet(part.path, glob=False) for part in self.parts])


def prepare(
    settings: DataSettings,
    root: Path,
    *,
    previous: Schema | None,
    enforced: Enforced | None = None,
    dealt: Split | None = None,
    scratch: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    block: int = BLOCK,
) -> Prepared:
    """Extract, check against the version before, infer, split, profile; in the memory of a few blocks.

    A column keeps its kind from version to version; integers may become floats, a column that never
    had a value may become anything. Nulls, ranges and categories are inferred anew; what is declared (in
    ``enforced``, or else in the version before) refuses. ``dealt`` is the split of the version before. What is read is kept in a folder of its own under ``scratch``, on the disk of the
    tables at best, until the result is let go of. ``tell`` hears of rows and bytes. Raises
    ``SourceMissing``, ``StoreDown``, or ``DataRefused`` naming file, row and column.
    """
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="rows-", dir=scratch))
    try:
        prepared = _prepare(settings, root, previous, enforced, dealt, folder, tell, block)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(prepared, shutil.rmtree, folder, ignore_errors=True)
    return prepared


def _prepare(
    settings: DataSettings,
    root: Path,
    previous: Schema | None,
    enforced: Enforced | None,
    dealt: Split | None,
    folder: Path,
    tell: Callable[[str], None],
    block: int,
) -> Prepared:
    hints = enforced.hints(previous) if enforced else previous
    previous = enforced.before(previous) if enforced else previous
    key = (settings.key,) if isinstance(settings.key, str) else settings.key
    before = _stamps(settings.source, root)
    sources = fingerprint(settings.source, root)
    readings: list[Piecework] = []
    staged = stage(settings.source, root, folder / "staged")

    def times(name: str) -> tuple[pl.Series, Schema]:
        """One column whole, for which everything is read once more."""
        found = read_through(staged, lambda frame: frame[name], schema=previous, block=block)
        column = Column(name=name, kind=found.kinds[name] or "float", nullable=True)
        return pl.concat(found.done), Schema(columns=(column,))

    def hand(schema: Schema) -> Dealer:
        before_split = (previous, dealt) if previous and dealt else None
        return dealer(schema, settings=settings.split, root=root, before=before_split, times=times)

    def begin(kinds: Kinds) -> None:
        _check_names(list(kinds), settings.target, key)
        if previous is not None:
            _check_columns(list(kinds), previous)
            _check_kinds(kinds, previous)
        kinds = enforced.kinds(kinds) if enforced else kinds
        at = folder / str(len(readings))
        at.mkdir()
        readings.append(
            Piecework(
                kinds,
                target=settings.target,
                key=key,
                dealer=hand,
                stratify=settings.split.stratify,
                previous=previous,
                folder=at,
                declare=enforced.schema if enforced else lambda schema: schema,
            )
        )

    reading = read_through(
        staged,
        lambda frame: readings[-1].work(frame),
        schema=hints,
        begin=begin,
        tell=_progress(tell, sum(one.path.stat().st_size for one in staged)),
        block=block,
    )
    if _stamps(settings.source, root) != before:
        raise DataRefused("The sources changed while they were read; run it again when they are complete.")
    made_of = recorded(settings.source, root, staged) if sources is None else sources
    shutil.rmtree(folder / "staged", ignore_errors=True)
    pieces, done = reading.done, readings[-1]
    if done.dealer.trouble:
        raise done.dealer.trouble
    seen = {
        c.name: functools.reduce(operator.add, (piece.seen[c.name] for piece in pieces))
        for c in done.schema.columns
    }
    inferred = msgspec.structs.replace(
        done.schema,
        columns=tuple(
            describe(c.name, c.kind, seen[c.name], plain=c.name in key) for c in done.schema.columns
        ),
    )
    schema, widened = (inferred, ()) if previous is None else _carry(inferred, previous)
    (enforced or Enforced()).refuse(pieces, reading.place, done.expected)
    schema = enforced.schema(schema) if enforced else schema
    marks = _marks(pieces, seen, schema, previous)
    parts = tuple(piece.part for piece in pieces)
    _check_key(pieces, reading, schema)
    _check_target(pieces, reading, schema)
    test_rows = sum(piece.test_rows for piece in pieces)
    _check_sides(reading.rows, test_rows)
    more, newest = (enforced or Enforced()).whole(
        [part.path for part in parts], reading.rows, schema, reading.place
    )
    split = done.dealer.split
    if settings.split.stratify:
        found = class_shares(pl.concat([piece.labels for piece in pieces]), schema=schema)
        split = msgspec.structs.replace(split, shares=found)
    findings = look(
        (pl.read_parquet(part.path, glob=False) for part in parts),
        schema=schema,
        split=split,
        rows=reading.rows,
        moved=sum(piece.moved for piece in pieces),
    )
    _refuse(findings, settings)
    return Prepared(
        parts=parts,
        schema=schema,
        digest=seal(
            schema,
            counted(schema, done.dealer.extra),
            rows=reading.rows,
            sums=(piece.sums for piece in pieces),
        ),
        profile=_profile(parts, edges(done.sample, schema, seen), schema, tell),
        split=split,
        sources=made_of,
        marks=marks | more,
        newest=newest,
        widened=widened,
        findings=findings,
        extra=tuple(done.dealer.extra),
        test_rows=test_rows,
        rows=reading.rows,
    )


def _progress(tell: Callable[[str], None], size: int) -> Callable[[int, int], None]:
    """Tell every two seconds, so that short work stays silent."""
    told = time.monotonic()

    def progress(rows: int, done: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _SECONDS:
            told = time.monotonic()
            tell(f"read {rows:,} rows, {done / 1e6:,.0f} of {size / 1e6:,.0f} MB")

    return progress


def _profile(
    parts: Sequence[Part], anchored: Profile, schema: Schema, tell: Callable[[str], None]
) -> Profile:
    counts = in_order(
        ([part] for part in parts),
        lambda part: count_frame(pl.read_parquet(part[0].path, glob=False), anchored, schema),
    )
    total: Profile | None = None
    told = time.monotonic()
    for counted_part in counts:
        total = counted_part if total is None else merge(total, counted_part)
        if time.monotonic() - told >= _SECONDS:
            told = time.monotonic()
            tell(f"profiled {total.rows:,} rows")
    assert total is not None
    return total


def _refuse(findings: tuple[DataFinding, ...], settings: DataSettings) -> None:
    for found in findings:
        if found.kind in settings.refuse:
            raise DataRefused(f"{found.sentence} ('refuse' names {found.kind}.)")


def _stamps(source: Setting, root: Path) -> list[object]:
    local: list[object] = [(p, p.stat().st_size, p.stat().st_mtime_ns) for p in locate(source, root)]
    elsewhere = tuple(one for one in listed(source) if kind(one, root) != "files")
    return [*local, fingerprint(elsewhere, root)] if elsewhere else local


def _check_names(names: list[str], target: str | None, key: tuple[str, ...]) -> None:
    for ours in (SPLIT, FOLD):
        if ours in names:
            raise DataRefused(f"Column '{ours}' is a name of our own; rename it in the source.")
    lower: dict[str, str] = {}
    for name in names:
        if not name.strip():
            raise DataRefused("A column has an empty name; name it in the source.")
        if (other := lower.setdefault(name.lower(), name)) != name:
            raise DataRefused(
                f"Columns '{other}' and '{name}' differ in case only, which a Delta table cannot hold; rename one."
            )
    for role, name in (*(("target", t) for t in [target] if t), *(("key", k) for k in key)):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "the columns are"
            raise SettingsError(f"There is no column '{name}' for the {role}; {hint} {_listed(names, near)}")
    if target in key:
        raise SettingsError(f"Column '{target}' is both target and key; take another key.")
    if not set(names) - {target, *key}:
        raise DataRefused("There is no column beside target and key; add features.")


def _listed(names: list[str], near: list[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    listed = ", ".join(names[:20]) + more
    return f"(The columns are {listed}.)" if near else listed + "."


def _check_columns(names: list[str], previous: Schema) -> None:
    known = [c.name for c in previous.columns]
    gone = [n for n in known if n not in names]
    new = [n for n in names if n not in known]
    advice = "mend the source, or begin a dataset of another name in modelyard.toml."
    if gone and new:
        raise DataRefused(f"Column '{gone[0]}' vanished and '{new[0]}' appeared; {advice}")
    if gone:
        raise DataRefused(f"Column '{gone[0]}' of the version before is not there any more; {advice}")
    if new:
        raise DataRefused(f"Column '{new[0]}' was not in the version before; {advice}")


def _check_kinds(kinds: Kinds, previous: Schema) -> None:
    for name, now in kinds.items():
        then = previous.column(name)
        if now is None or now == then.kind or is_blank(then) or {now, then.kind} == {"integer", "float"}:
            continue
        raise DataRefused(
            f"Column '{name}' is {now} now and was {then.kind} in the version before; "
            "mend the source, or begin a dataset of another name in modelyard.toml."
        )


def _carry(inferred: Schema, previous: Schema) -> tuple[Schema, tuple[str, ...]]:
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


def _marks(
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


def _check_key(pieces: Sequence[Piece], reading: Reading[Piece], schema: Schema) -> None:
    if not schema.key:
        return
    for name in schema.key:
        if (found := _missing(pieces, name)) is not None:
            row, count = found
            raise DataRefused(
                f"{reading.place.of(row + 1)}: the key '{name}' is null "
                f"(in {count} of {reading.rows} rows); give every row its key."
            )
    hashes = np.concatenate([piece.keys for piece in pieces])
    ordered = np.sort(hashes)
    same = ordered[1:] == ordered[:-1]
    extra = int(same.sum())
    if not extra:
        return
    repeated = np.flatnonzero(np.isin(hashes, np.unique(ordered[1:][same])))
    parts = [piece.part for piece in pieces]
    # Keys that only share a hash would be named here: among 10 million rows the odds are 1 in 400,000.
    values = values_of(parts, schema.key, int(repeated[0]))
    value = ", ".join(map(str, values))
    raise DataRefused(
        f"{reading.place.of(int(repeated[0]) + 1)}: the key '{', '.join(schema.key)}' is not unique: {value} "
        f"comes again, and {extra} row{'s' if extra > 1 else ''} in all repeat a key; "
        "drop them or take another key."
    )


def _missing(pieces: Sequence[Piece], name: str) -> tuple[int, int] | None:
    """The first row without a value, and how many are."""
    first, before = None, 0
    for piece in pieces:
        if first is None and name in piece.missing:
            first = before + piece.missing[name]
        before += piece.rows
    if first is None:
        return None
    return first, sum(piece.seen[name].nulls + piece.seen[name].nans for piece in pieces)


def _check_target(pieces: Sequence[Piece], reading: Reading[Piece], schema: Schema) -> None:
    name = schema.target
    if name is None:
        return
    if (found := _missing(pieces, name)) is not None:
        row, count = found
        if count == reading.rows:
            raise DataRefused(f"The target '{name}' has no value in any row; name another target.")
        raise DataRefused(
            f"{reading.place.of(row + 1)}: the target '{name}' is null "
            f"(in {count} of {reading.rows} rows); leave rows without an outcome out."
        )
    firsts = [piece.target for piece in pieces if piece.rows]
    if not any(differs or first != firsts[0][0] for first, differs in firsts):
        raise DataRefused(
            f"The target '{name}' is {firsts[0][0]} in all {reading.rows} rows; "
            "there is nothing to tell apart, so add rows or name another target."
        )


def _check_sides(rows: int, held_back: int) -> None:
    if held_back in (0, rows):
        side = "test" if held_back == 0 else "train"
        raise DataRefused(
            f"No row of {rows} falls into the {side} split; add rows, or change the share or the seed of 'split'."
        )
