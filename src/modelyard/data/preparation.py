"""Sources to a checked, split and digested table."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import operator
import shutil
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import polars as pl

from modelyard.data.cores import in_order
from modelyard.data.csv import BLOCK
from modelyard.data.dealing import Dealer, dealer
from modelyard.data.enforcement import Enforced
from modelyard.data.extraction import Kinds, read_through
from modelyard.data.growth import Base, grow
from modelyard.data.headings import heading
from modelyard.data.leakage import Glance, Watch
from modelyard.data.mixture import mixed
from modelyard.data.mixture import widened as widen
from modelyard.data.names import check_columns, check_kinds, check_names
from modelyard.data.origins import stamps
from modelyard.data.piecework import Piecework
from modelyard.data.roles import check_key, check_sides, check_target
from modelyard.data.shaping.shape import shape
from modelyard.data.sources.listing import below
from modelyard.data.staging import Staged, all_recorded, stage
from modelyard.data.succession import carry, follow, marks_of
from modelyard.errors import DataRefused
from modelyard.records.dataset import DataFinding, Intake, SourceFile, Split, Watermark, Whole
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.settings import DataSettings
from modelyard.storage.scratch import Scratch, left_over, sweep
from modelyard.tables.delta import Part
from modelyard.tables.digest import added, counted, seal
from modelyard.tables.infer import describe
from modelyard.tables.profile import merge
from modelyard.tables.sample import count_frame, edges
from modelyard.tables.split import SPLIT, class_shares

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
    intake: Intake | None = None
    watermark: Watermark | None = None
    sums: tuple[str, ...] = ()
    whole: Whole | None = None

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
    reshaped: bool = False,
    scratch: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    block: int = BLOCK,
    base: Base | None = None,
) -> Prepared:
    """Extract, check against the version before, infer, split, profile; in the memory of a few blocks.

    A column keeps its kind from version to version; integers may become floats, a column that never
    had a value may become anything. Nulls, ranges and categories are inferred anew; what is declared (in
    ``enforced``, or else in the version before) refuses. ``dealt`` is the split of the version before, and
    ``reshaped`` says that its transform was another, so that columns may come, go and change. With ``base`` the
    rows of that version stay, and those of the sources are added or replace some. What is read is kept in a folder of
    its own under ``scratch``, on the disk of the tables at best, until the result is let go of. ``tell`` hears of
    rows and bytes. Raises ``NothingNew`` with ``base``, ``SourceMissing``, ``StoreDown``, or ``DataRefused`` naming file, row and column.
    """
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
        for left in left_over(scratch, "rows-*"):
            sweep(left)
    folder = Scratch("rows-", scratch)
    try:
        prepared = _prepare(
            settings, root, previous, enforced, dealt, reshaped, folder.path, tell, block, base
        )
    except BaseException:
        folder.close()
        raise
    weakref.finalize(prepared, folder.close)
    return prepared


def _prepare(
    settings: DataSettings,
    root: Path,
    previous: Schema | None,
    enforced: Enforced | None,
    dealt: Split | None,
    reshaped: bool,
    folder: Path,
    tell: Callable[[str], None],
    block: int,
    base: Base | None,
) -> Prepared:
    then = None if reshaped else previous
    hints = enforced.hints(then) if enforced else then
    latest = previous = enforced.before(previous) if enforced else previous
    key = (settings.key,) if isinstance(settings.key, str) else settings.key
    before = stamps(settings, root)
    readings: list[Piecework] = []
    since = replace(base.since, named=settings.transform is not None) if base and base.since else None
    inputs = {
        name: stage(one, root, folder / "staged" / name, since=since if name == settings.growing else None)
        for name, one in settings.inputs.items()
    }
    read = shape(inputs, settings, root, folder / "shaped", tell=tell, block=block)
    staged, grown = read, None

    def fits(kinds: Kinds) -> Kinds:
        nonlocal previous
        first = (*read, *staged)[0]
        if reshaped and latest is not None:
            previous = follow(latest, kinds)
        if previous is not None:
            check_columns(list(kinds), previous, heading(first))
            check_kinds(kinds, previous, first.origin)
        check_names(list(kinds), settings.labels or settings.one, key, heading(first))
        return enforced.kinds(kinds) if enforced else kinds

    if base:
        grown = grow(
            read,
            base,
            key=key,
            hints=hints,
            fits=fits,
            folder=folder / "grown",
            tell=_progress(tell, _size(read)),
            block=block,
            refuse=(enforced or Enforced()).unread,
        )
        staged, hints = grown.staged, grown.hints

    def times(name: str) -> tuple[pl.Series, Schema]:
        """One column whole, for which everything is read once more."""
        found = read_through(staged, lambda frame: frame[name], schema=previous, block=block)
        column = Column(name=name, kind=found.kinds[name] or "float", nullable=True)
        return pl.concat(found.done), Schema(columns=(column,))

    def hand(schema: Schema) -> Dealer:
        before_split = (previous, dealt) if previous and dealt else None
        return dealer(schema, settings=settings.split, root=root, before=before_split, times=times)

    def begin(kinds: Kinds) -> None:
        kinds = fits(kinds)
        at = folder / str(len(readings))
        at.mkdir()
        readings.append(
            Piecework(
                kinds,
                target=settings.one,
                labels=settings.labels,
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
        tell=_progress(tell, _size(staged)),
        block=block,
        refuse=(enforced or Enforced()).unread,
    )
    made_of = all_recorded(settings, root, inputs, reading.told)
    if stamps(settings, root) != before:
        raise DataRefused("The sources changed while they were read; run it again when they are complete.")
    for done_with in ("staged", "shaped", "grown"):
        shutil.rmtree(folder / done_with, ignore_errors=True)
    reading = grown.traced(reading) if grown else reading
    pieces, done = reading.done, readings[-1]
    if done.dealer.trouble:
        raise done.dealer.trouble
    seen = {
        c.name: functools.reduce(operator.add, (piece.seen[c.name] for piece in pieces))
        for c in done.schema.columns
    }
    held = grown.kept if grown else None
    if held:
        seen = {name: held.seen(name) + found for name, found in seen.items()}
    inferred = msgspec.structs.replace(
        done.schema,
        columns=tuple(
            describe(c.name, c.kind, seen[c.name], plain=c.name in key) for c in done.schema.columns
        ),
    )
    schema, widened = (inferred, ()) if previous is None else carry(inferred, previous)
    (enforced or Enforced()).refuse(pieces, reading.place, done.expected)
    schema = enforced.schema(schema) if enforced else schema
    marks = marks_of(pieces, seen, schema, previous)
    new = tuple(piece.part for piece in pieces)
    parts = (*(held.parts if held else ()), *new)
    rows = sum(part.rows for part in parts)
    check_key(pieces, reading, schema)
    check_target(pieces, reading, schema, varies=held is not None)
    test_rows = sum(piece.test_rows for piece in pieces) + (held.version.test_rows if held else 0)
    check_sides(rows, test_rows, schema=schema, split=done.dealer.split, pieces=pieces)
    more, newest = (enforced or Enforced()).whole(
        [part.path for part in parts], rows, schema, grown.place if grown else reading.place
    )
    split = done.dealer.split
    if settings.split.stratify:
        labels = [piece.labels for piece in pieces]
        labels += [held.labels(schema)] if held and schema.targets else []
        found = class_shares(pl.concat(labels), schema=schema)
        split = msgspec.structs.replace(split, shares=found)
    kept = {c.name for c in previous.columns if c.kind == "string"} if previous else set()
    told = {c.name for c in schema.columns if "kind" in c.declared}
    odd = list(
        mixed(
            parts,
            schema,
            lambda row: below(Path(reading.place.of(row)), root),
            settled=told | (kept if held else set()),
        )
    )
    if held:
        profile, findings = held.profiled(new, seen, schema), held.findings
    else:
        nearly = {name: one.kind for one in odd for name in one.finding.columns}
        watch = Watch(_head(parts), schema=schema, split=split, rows=rows, nearly=nearly)
        profile, glances = _profile(parts, edges(done.sample, schema, seen), schema, watch, tell)
        findings = watch.findings(
            glances, [piece.contents for piece in pieces], seen, moved=sum(piece.moved for piece in pieces)
        )
    new_odd = (one.finding for one in odd if not kept & {*one.finding.columns})
    findings = (*new_odd, *findings, *widen(widened))
    _refuse(findings, settings)
    done.flushing.wait()
    sums = added(*(piece.sums for piece in pieces), *([held.sums] if held else ()))
    return Prepared(
        parts=parts,
        schema=schema,
        digest=seal(
            schema,
            counted(schema, done.dealer.extra),
            rows=rows,
            sums=[sums],
        ),
        sums=tuple(f"{word:016x}" for word in sums.tolist()),
        whole=held.whole if held else None,
        profile=profile,
        split=split,
        sources=made_of,
        marks=marks | more,
        newest=newest,
        widened=widened,
        findings=findings,
        extra=tuple(done.dealer.extra),
        test_rows=test_rows,
        rows=rows,
        intake=grown.intake if grown else None,
        watermark=grown.watermark if grown else None,
    )


def _size(staged: Sequence[Staged]) -> int:
    return sum(one.path.stat().st_size for one in staged)


def _progress(tell: Callable[[str], None], size: int) -> Callable[[int, int], None]:
    """Tell every two seconds, so that short work stays silent."""
    told = time.monotonic()

    def progress(rows: int, done: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _SECONDS:
            told = time.monotonic()
            tell(f"read {rows:,} rows, {done / 1e6:,.0f} of {size / 1e6:,.0f} MB")

    return progress


def _head(parts: Sequence[Part]) -> pl.DataFrame:
    return pl.read_parquet(parts[0].path, glob=False, n_rows=1000)


def _profile(
    parts: Sequence[Part], anchored: Profile, schema: Schema, watch: Watch, tell: Callable[[str], None]
) -> tuple[Profile, list[Glance]]:
    """The second look at all rows, after which edges and bounds are known."""

    def look(at: tuple[Part, int]) -> tuple[Profile, Glance]:
        frame = pl.read_parquet(at[0].path, glob=False)
        return count_frame(frame, anchored, schema), watch.glance(frame, at[1])

    begins = itertools.accumulate((part.rows for part in parts), initial=0)
    total: Profile | None = None
    glances: list[Glance] = []
    told = time.monotonic()
    for counted_part, glance in in_order(zip(parts, begins, strict=False), look):
        total = counted_part if total is None else merge(total, counted_part)
        glances.append(glance)
        if time.monotonic() - told >= _SECONDS:
            told = time.monotonic()
            tell(f"profiled {total.rows:,} rows")
    assert total is not None
    return total, glances


def _refuse(findings: tuple[DataFinding, ...], settings: DataSettings) -> None:
    for found in findings:
        if found.kind in settings.refuse:
            raise DataRefused(f"{found.sentence} ('refuse' names {found.kind}.)")
