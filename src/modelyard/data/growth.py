"""The rows that an incremental ingest read, held against those of the version before.

Rows are told by two hashes of their key, and found equal by a hash of all their values. Old rows that stay are
read where they lie; what is new or replaces an old row stands after them, in the order read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.data.cores import in_order
from modelyard.data.extension import Kept, kept
from modelyard.data.extraction import Kinds, Reading, read_through
from modelyard.data.novelty import NothingNew
from modelyard.data.place import Place
from modelyard.data.sources.since import Since
from modelyard.data.sources.staged import Staged
from modelyard.data.unread import Refuse
from modelyard.data.watermarks import beyond, check_column, reached, valueless
from modelyard.errors import DataRefused
from modelyard.records.dataset import DatasetVersion, Intake, Watermark
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Kind, Schema
from modelyard.settings import IncrementalSettings
from modelyard.tables import delta
from modelyard.tables.digest import row_words
from modelyard.tables.kinds import DTYPES, convert
from modelyard.tables.rowhash import Words, row_hashes
from modelyard.tables.split import FOLD, SPLIT

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
Work = TypeVar("Work")


@dataclass(frozen=True, kw_only=True)
class Base:
    """What rows are taken into, and how."""

    settings: IncrementalSettings
    version: DatasetVersion | None
    """None: it will be the first one."""
    parts: tuple[Path, ...] = ()
    """The version's files, in the order of their rows."""
    since: Since | None = None
    profile: Callable[[], Profile] | None = None
    """Of the version."""
    anew: bool = False
    """The rules changed: the version is formed anew even when no row is new."""


@dataclass(frozen=True)
class Traced(Place):
    """Rows of the version before, and then some of those that were read."""

    base: str
    old: int
    read: Place
    rows: Places

    def of(self, row: int) -> str:
        if row <= self.old:
            return f"{self.base}, row {row}"
        return self.read.of(int(self.rows[row - self.old - 1]) + 1)


@dataclass(frozen=True, kw_only=True)
class Grown:
    """All rows of the version to be, and where those that were read come from."""

    staged: tuple[Staged, ...]
    hints: Schema | None
    place: Traced
    """Of all rows, in the sources and the version before."""
    intake: Intake
    watermark: Watermark | None
    kept: Kept | None = None
    """The old rows, where they need not be read again; then ``staged`` has only the new ones."""

    def traced(self, reading: Reading[Work]) -> Reading[Work]:
        """The reading of ``staged`` with places in the sources."""
        return replace(reading, place=replace(self.place, old=0) if self.kept else self.place)


@dataclass(frozen=True)
class _Piece:
    path: Path
    rows: int
    wanted: Mask
    """Not below the watermark."""
    keyed: Mask
    """With a key; a row without one is refused later."""
    keys: Words
    checks: Words
    """Another hash of the key."""
    words: Words
    highest: int | float | None
    valueless: int | None
    """The first row without a value of the watermark's column."""


@dataclass(frozen=True)
class _Met:
    """Rows of an old part whose keys came again."""

    rows: Places
    at: Places
    """Their places among the distinct keys that were read."""
    words: Words


@dataclass
class _Judged:
    """Of the rows that were read which count, and which old ones do not any more."""

    keep: Mask
    stale: list[Places]
    """By old part."""
    identical: int = 0
    superseded: int = 0


@dataclass
class _Growing:
    base: Base
    key: tuple[str, ...]
    folder: Path
    fits: Callable[[Kinds], Kinds]
    kinds: dict[str, Kind | None] = field(default_factory=dict)
    met: bool = False
    """The old parts were held against their digests."""
    _numbers: count[int] = field(default_factory=count)

    def begin(self, kinds: Kinds) -> None:
        self.kinds = dict(self.fits(kinds))
        if self.base.settings.on is not None:
            check_column(kinds, self.base.settings.on)

    def work(self, frame: pl.DataFrame) -> _Piece:
        rows = frame.height
        wanted, highest, missing = np.ones(rows, dtype=np.bool_), None, None
        if (on := self.base.settings.on) is not None:
            empty = valueless(frame[on])
            known = frame[on].filter(~empty)
            highest = known.to_physical().max() if known.len() else None
            missing = int(empty.arg_true()[0]) if empty.any() else None
            if self.base.since and missing is None and rows:
                wanted = beyond(frame[on], self.base.since, self.kinds[on] or "float").to_numpy()
        keys = checks = words = np.empty(0, np.uint64)
        keyed = np.zeros(rows, dtype=np.bool_)
        if self.key:
            keys = row_hashes(frame, self.key)
            keyed = ~frame.select(_blank(frame, self.key)).to_series().to_numpy()
            columns = self.columns(None)
            checks = row_words(frame, [c for c in columns if c.name in self.key])[1]
            words = row_words(frame, columns)[1]
        return _Piece(self.keep(frame), rows, wanted, keyed, keys, checks, words, highest, missing)  # type: ignore[arg-type]

    def keep(self, frame: pl.DataFrame) -> Path:
        path = self.folder / f"{next(self._numbers):06}.parquet"
        frame.write_parquet(path, compression="zstd", compression_level=1)
        return path

    def columns(self, old: Schema | None) -> tuple[Column, ...]:
        """Names in an order of their own, with the kinds to be stored."""
        kinds = {n: k or (old.column(n).kind if old else "float") for n, k in self.kinds.items()}
        return tuple(Column(name=name, kind=kinds[name]) for name in sorted(kinds))

    def meet(self, part: Path, keys: Words, checks: Words) -> _Met:
        """The part's rows whose keys are among ``keys``, which are sorted, with these ``checks``."""
        assert self.base.version is not None
        delta.verify(part)
        hashes = row_hashes(pl.read_parquet(part, columns=list(self.key), glob=False), self.key)
        at = np.searchsorted(keys, hashes).clip(max=len(keys) - 1)
        rows = np.flatnonzero(keys[at] == hashes)
        if not rows.size:
            return _Met(rows, at[rows], np.empty(0, np.uint64))
        columns = self.columns(self.base.version.schema)
        frame = pl.read_parquet(part, columns=[c.name for c in columns], glob=False)[rows]
        now = pl.DataFrame([_stored(frame[c.name], c) for c in columns])
        told = row_words(now, [c for c in columns if c.name in self.key])[1] == checks[at[rows]]
        return _Met(rows[told], at[rows[told]], row_words(now.filter(pl.Series(told)), columns)[1])


def grow(
    staged: Sequence[Staged],
    base: Base,
    *,
    key: tuple[str, ...],
    hints: Schema | None,
    fits: Callable[[Kinds], Kinds],
    folder: Path,
    tell: Callable[[int, int], None],
    block: int,
    refuse: Refuse,
) -> Grown:
    """Of what was staged the rows that count, after those of the version before that stay.

    ``fits`` checks the kinds that were read and gives those to store. Raises ``NothingNew``, and ``DataRefused``
    for a row that ``append`` would change and for one without its watermark.
    """
    folder.mkdir()
    growing = _Growing(base, key, folder, fits)
    pieces: tuple[_Piece, ...] = ()
    place = Place(())
    if staged:
        reading = read_through(
            staged,
            growing.work,
            schema=hints,
            begin=growing.begin,
            tell=tell,
            block=block,
            refuse=refuse,
            some=False,
        )
        pieces, place = reading.done, reading.place
        growing.kinds = {n: k or reading.kinds[n] for n, k in fits(reading.kinds).items()}
    _check_watermarks(pieces, base, place)
    judged = _judge(pieces, growing, place)
    intake = _counted(pieces, judged, base)
    version = base.version
    if version and not base.anew and not intake.added + intake.replaced:
        raise NothingNew(intake)
    held = None
    if version and base.profile and not base.anew:
        held = kept(version, base.parts, base.profile(), intake, growing.kinds)
    if held and not growing.met:
        for part in base.parts:
            delta.verify(part)
    stays = version.rows - intake.replaced if version else 0
    on, known = base.settings.on, growing.kinds
    return Grown(
        staged=(*(_old(judged, growing) if held is None else ()), *_new(pieces, judged, growing)),
        hints=_hints(hints, version, known),
        place=Traced((), version.ref if version else "", stays, place, np.flatnonzero(judged.keep)),
        intake=intake,
        watermark=reached(on, _kind(on, known, version), (p.highest for p in pieces), version, base.parts)
        if on
        else None,
        kept=held,
    )


def _judge(pieces: Sequence[_Piece], growing: _Growing, place: Place) -> _Judged:
    keep = np.concatenate([np.zeros(0, np.bool_), *(p.wanted for p in pieces)])
    judged = _Judged(keep, [np.empty(0, np.int64)] * len(growing.base.parts))
    if not growing.key or not pieces:
        return judged
    rows = np.flatnonzero(keep & np.concatenate([p.keyed for p in pieces]))
    keys = np.concatenate([p.keys for p in pieces])[rows]
    checks = np.concatenate([p.checks for p in pieces])[rows]
    words = np.concatenate([p.words for p in pieces])
    append = growing.base.settings.mode == "append"
    if not rows.size:
        return judged
    order = np.lexsort((checks, keys))
    other = (keys[order][1:] != keys[order][:-1]) | (checks[order][1:] != checks[order][:-1])
    begins = np.flatnonzero(np.concatenate([[True], other]))
    ends = np.append(begins[1:], rows.size) - 1
    # The last of several rows with one key counts; with append the first does, and others are refused later.
    group = np.repeat(np.arange(begins.size), np.diff(np.append(begins, rows.size)))
    chosen = rows[order[begins if append else ends]]
    others = rows[order] != chosen[group]
    same = words[rows[order]] == words[chosen[group]]
    dropped = others & same if append else others
    keep[rows[order][dropped]] = False
    judged.identical += int((others & same).sum())
    judged.superseded += 0 if append else int((others & ~same).sum())
    distinct = order[begins]
    _meet_old(judged, growing, chosen, (keys[distinct], checks[distinct]), words, place)
    return judged


def _meet_old(
    judged: _Judged, growing: _Growing, chosen: Places, keys: tuple[Words, Words], words: Words, place: Place
) -> None:
    met = in_order(([part] for part in growing.base.parts), lambda parts: growing.meet(parts[0], *keys))
    for number, found in enumerate(met):
        new = chosen[found.at]
        same = words[new] == found.words
        if growing.base.settings.mode == "append" and not same.all():
            raise _changed(growing, int(new[~same].min()), place)
        judged.keep[new[same]] = False
        judged.identical += int(same.sum())
        judged.stale[number] = found.rows[~same]
    growing.met = True


def _counted(pieces: Sequence[_Piece], judged: _Judged, base: Base) -> Intake:
    replaced = sum(rows.size for rows in judged.stale)
    return Intake(
        mode=base.settings.mode,
        base=base.version.number if base.version else None,
        read=sum(p.rows for p in pieces),
        added=int(judged.keep.sum()) - replaced,
        replaced=replaced,
        identical=judged.identical,
        superseded=judged.superseded,
        aside=sum(p.rows - int(p.wanted.sum()) for p in pieces),
        before=base.version.rows if base.version else 0,
    )


def _old(judged: _Judged, growing: _Growing) -> list[Staged]:
    """The version's files, those with rows that were replaced without these."""
    found = []
    for part, stale in zip(growing.base.parts, judged.stale, strict=True):
        path = part
        if stale.size:
            frame = pl.read_parquet(part, glob=False)
            path = growing.keep(frame[np.setdiff1d(np.arange(frame.height), stale)])
        if not growing.met:
            delta.verify(part)
        assert growing.base.version is not None
        found.append(Staged(path=path, form="parquet", origin=growing.base.version.ref, leave=(SPLIT, FOLD)))
    return found


def _new(pieces: Sequence[_Piece], judged: _Judged, growing: _Growing) -> list[Staged]:
    found, before = [], 0
    for piece in pieces:
        keep = judged.keep[before : before + piece.rows]
        before += piece.rows
        if not keep.any():
            continue
        path = piece.path
        if not keep.all():
            path = growing.keep(pl.read_parquet(path, glob=False).filter(pl.Series(keep)))
        found.append(Staged(path=path, form="parquet", origin="the rows that were read"))
    return found


def _hints(hints: Schema | None, version: DatasetVersion | None, kinds: Kinds) -> Schema | None:
    """What is known of the columns, with the kinds that were read now."""
    if hints is None or version is None:
        return hints
    columns = tuple(msgspec.structs.replace(c, kind=kinds.get(c.name) or c.kind) for c in hints.columns)
    return msgspec.structs.replace(hints, columns=columns)


def _kind(on: str | None, kinds: Kinds, version: DatasetVersion | None) -> Kind | None:
    if on is None:
        return None
    return kinds.get(on) or (version.schema.column(on).kind if version else None)


def _check_watermarks(pieces: Sequence[_Piece], base: Base, place: Place) -> None:
    before = 0
    for piece in pieces:
        if piece.valueless is not None:
            raise DataRefused(
                f"{place.of(before + piece.valueless + 1)}: '{base.settings.on}', which tells what is newer, has no "
                "value; give every row one."
            )
        before += piece.rows


def _changed(growing: _Growing, row: int, place: Place) -> DataRefused:
    assert growing.base.version is not None
    return DataRefused(
        f"{place.of(row + 1)}: the key '{', '.join(growing.key)}' is in {growing.base.version.ref} already, with other "
        "values, and 'append' changes no row; mend the source, or set incremental = \"upsert\" to replace it."
    )


def _blank(frame: pl.DataFrame, key: tuple[str, ...]) -> pl.Expr:
    empty = [pl.col(n).is_null() for n in key]
    empty += [pl.col(n).is_nan().fill_null(False) for n in key if frame[n].dtype.is_float()]
    return pl.any_horizontal(empty).alias("blank")


def _stored(series: pl.Series, column: Column) -> pl.Series:
    if series.null_count() == series.len():
        return pl.Series(series.name, [None], dtype=DTYPES[column.kind]).new_from_index(0, series.len())
    return convert(series, column)
