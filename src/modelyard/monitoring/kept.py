"""What was counted of one of the log's files, kept beside its table, so that it is counted once.

It can be made anew at any time: what is missing, damaged or of other edges is counted again from the file itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from msgspec.structs import replace

from modelyard.monitoring.draw import PRIORITY, Draw
from modelyard.monitoring.pieces import Piece
from modelyard.records.profile import ColumnProfile, Profile

HOME = "_counts"
"""The folder in a table's; names that begin so are no data of it."""
_FORM = 1
_GROUP = 4096
"""Rows of a sample that are read at least."""
_SHARE = 8
"""Of so many rows one is kept."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one version in a file; the edges are the reference's and left out."""

    features: Profile
    answers: Profile
    limit: int
    """Of the rows drawn from the file all those of at most this number are in the sample beside it."""
    drawn: int
    """How many those are."""


@dataclass(frozen=True)
class Place:
    """Where what was counted of the file is kept."""

    piece: Piece
    key: str

    @property
    def counts(self) -> Path:
        return self.piece.path.parent / HOME / f"{self.piece.path.stem}.{self.key}.counts"

    @property
    def sample(self) -> Path:
        return self.counts.with_suffix(".sample")


def key(version: int, features: Profile, answers: Profile) -> str:
    """Of what is counted, and on which edges."""
    anchors = [[(c.name, c.kind, c.edges_sha256) for c in profile.columns] for profile in (features, answers)]
    return hashlib.sha256(msgspec.json.encode([_FORM, version, anchors])).hexdigest()[:16]


def load(place: Place, features: Profile, answers: Profile) -> Counts | None:
    """None where nothing is kept that can be read; the profiles are those that it was counted on."""
    try:
        found = msgspec.msgpack.decode(place.counts.read_bytes(), type=Counts)
    except (OSError, msgspec.MsgspecError):
        return None
    return replace(
        found,
        features=_with_edges(found.features, features),
        answers=_with_edges(found.answers, answers),
    )


def worth(rows: int, most: int | None) -> int:
    """How many of a file's rows are kept, where a window draws so many: of small files few, else they were there twice."""
    return min(-(-rows // _SHARE), most or 0)


def save(place: Place, features: Profile, answers: Profile, draw: Draw) -> None:
    """With the rows that were drawn from the file. Nothing happens where it cannot be written: it is counted again then."""
    parts = draw.drawn()
    rows = pl.concat(parts).sort(PRIORITY) if parts else None
    bare = Counts(
        features=_bare(features),
        answers=_bare(answers),
        limit=draw.limit,
        drawn=0 if rows is None else rows.height,
    )
    try:
        place.counts.parent.mkdir(exist_ok=True)
        if rows is not None:
            draft = place.sample.with_suffix(f".{os.getpid()}.new")
            rows.write_parquet(draft, row_group_size=_GROUP, statistics=True)
            draft.replace(place.sample)
        draft = place.counts.with_suffix(f".{os.getpid()}.new")
        draft.write_bytes(msgspec.msgpack.encode(bare))
        draft.replace(place.counts)
    except (OSError, pl.exceptions.PolarsError):
        return


def sample(place: Place, limit: int) -> pl.DataFrame | None:
    """The file's rows of at most that number; None where they are not all kept."""
    try:
        found = pl.scan_parquet(place.sample, glob=False).filter(pl.col(PRIORITY) <= limit).collect()
        # the first rows of a group are a view, which would hold all of it in memory
        return found[np.arange(found.height)]
    except (OSError, pl.exceptions.PolarsError):
        return None


def stale(table: Path, names: Set[str]) -> Iterator[Path]:
    """What is kept of files that are not among these."""
    stems = {name.split(".", 1)[0] for name in names}
    for path in sorted((table / HOME).glob("*")):
        if path.name.split(".", 1)[0] not in stems:
            yield path


def _bare(profile: Profile) -> Profile:
    return replace(profile, columns=tuple(replace(c, edges=()) for c in profile.columns))


def _with_edges(profile: Profile, anchored: Profile) -> Profile:
    def edged(column: ColumnProfile, reference: ColumnProfile) -> ColumnProfile:
        return replace(column, edges=reference.edges)

    return replace(profile, columns=tuple(map(edged, profile.columns, anchored.columns)))
