"""What one version answered in a window: counts of all its rows, and some of the rows, in the memory of some.

Each of the log's files that lies wholly in the window is counted once; what was counted is kept beside it, and a window is the
sum of those. Read are the files at the window's edges and what is not collected yet. Counts are integers, so that the sum
is what one pass over all rows would give.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from modelyard.monitoring import kept
from modelyard.monitoring.draw import PRIORITY, Draw, prioritised
from modelyard.monitoring.kept import Place
from modelyard.monitoring.logged import count_features, count_predictions
from modelyard.monitoring.pieces import Cut, Piece, batches, pieces
from modelyard.monitoring.reading import both, union
from modelyard.monitoring.sheet import home_of, outage, rows
from modelyard.records.package import Manifest
from modelyard.records.profile import Profile
from modelyard.tables.profile import merge

COLUMNS = ["at", "version", "latency", "writer", "sequence", "prediction", "probability", "features"]
"""What is drawn of a row; the ids of requests take more room than all of it."""
_ALL = 2**64 - 1
_SURELY = 8.0
"""Standard errors by which more rows are asked for than are drawn."""


@dataclass(frozen=True, eq=False)
class Survey:
    """``features`` and ``answers`` count every row; ``drawn`` are at most so many of them, in the order of time."""

    features: Profile
    answers: Profile
    drawn: pl.DataFrame


def survey(
    tables: Path,
    folder: Path,
    *,
    environment: str,
    model: str,
    start: dt.datetime,
    end: dt.datetime,
    version: int,
    manifest: Manifest,
    features: Profile,
    answers: Profile,
    most: int | None,
) -> Survey:
    """The rows that the version answered from ``start`` up to ``end``, counted on the edges of its own profiles.

    ``most`` is how many rows are drawn at most; of None all are. Raises ``StoreDown`` when log or tables cannot be read.
    """
    cut = Cut(start, end, version)
    counter = _Counter(cut, manifest, features, answers, most)
    with outage(f"The predictions in {folder} and {home_of(tables, environment, model)} cannot be read"):
        for table, tail in both(tables, folder, environment, model, cut):
            if tail:
                counter.add(rows(tail).select(COLUMNS))
            for piece in () if table is None else pieces(table, cut):
                counter.read(piece)
        return counter.done()


class _Counter:
    def __init__(
        self, cut: Cut, manifest: Manifest, features: Profile, answers: Profile, most: int | None
    ) -> None:
        self._cut, self._manifest, self._most = cut, manifest, most
        self._on = features, answers
        assert cut.version is not None
        self._key = kept.key(cut.version, features, answers)
        self._counted = self._count(pl.DataFrame())
        self._draw = Draw(most)
        self._later: list[tuple[Place, int, int]] = []
        """Files whose rows are drawn once it is known how many there are in all."""

    def read(self, piece: Piece) -> None:
        """One of the log's files."""
        if not piece.within(self._cut):
            for some in batches(piece, self._cut.wanted, COLUMNS):
                self.add(some)
            return
        place = Place(piece, self._key)
        known = kept.load(place, *self._on)
        if known is None:
            self._anew(place)
        else:
            self._sum(known.features, known.answers)
            if known.features.rows:
                self._later.append((place, known.limit, known.drawn))

    def add(self, some: pl.DataFrame) -> None:
        """Rows of the cut."""
        self._sum(*self._count(some))
        self._draw.add(some)

    def done(self) -> Survey:
        features, answers = self._counted
        limit = self._below(features.rows)
        for place, known, held in self._later:
            for some in self._rows(place, known, held, limit):
                self._draw.add(some)
        drawn = union(self._draw.drawn(), by=("at", PRIORITY))
        return Survey(features, answers, drawn.drop(PRIORITY, strict=False))

    def _anew(self, place: Place) -> None:
        total = self._count(pl.DataFrame())
        own = Draw(kept.worth(place.piece.rows, self._most))
        for some in batches(place.piece, self._cut.wanted, COLUMNS):
            counted = self._count(some)
            total = merge(total[0], counted[0]), merge(total[1], counted[1])
            numbered = prioritised(some)
            self._draw.add(numbered)
            own.add(numbered)
        self._sum(*total)
        if self._most is not None:
            kept.save(place, *total, own)

    def _rows(self, place: Place, known: int, held: int, limit: int) -> Iterator[pl.DataFrame]:
        """The file's rows of at most that number, and perhaps more; ``held`` of at most ``known`` are kept."""
        # of the rows that all files together draw none is beyond as many of this one
        enough = limit <= known or (self._most is not None and held >= self._most)
        some = kept.sample(place, min(limit, known)) if enough else None
        if some is None:
            yield from batches(place.piece, self._cut.wanted, COLUMNS)
        else:
            yield some

    def _below(self, total: int) -> int:
        """The number below which there are surely as many rows as are drawn."""
        if self._most is None or total <= self._most:
            return _ALL
        wanted = self._most + _SURELY * self._most**0.5
        return min(_ALL, int(wanted / total * 2**64))

    def _count(self, some: pl.DataFrame) -> tuple[Profile, Profile]:
        return (
            count_features(some, self._manifest.schema, self._on[0]),
            count_predictions(some, self._manifest, self._on[1]),
        )

    def _sum(self, features: Profile, answers: Profile) -> None:
        self._counted = merge(self._counted[0], features), merge(self._counted[1], answers)
